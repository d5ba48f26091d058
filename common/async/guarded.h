// A value that several threads share, reachable only under its lock. Keep what runs inside short,
// and never await in it.
#pragma once

#include <mutex>
#include <utility>

namespace prewarm {

template <class T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}

  template <class Function>
  decltype(auto) With(Function&& function) {
    const std::lock_guard lock(mutex_);
    return std::forward<Function>(function)(value_);
  }

 private:
  std::mutex mutex_;
  T value_{};
};

}  // namespace prewarm
