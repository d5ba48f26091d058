// Reads every visible block of a cache directory all the time, on a thread of its own, and keeps
// what it saw wrong. Shares no code with the product (tests/rig/block_oracle.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/rig/block_oracle.h"

namespace prewarm::faults {

class Watcher {
 public:
  Watcher(std::filesystem::path volume, rig::Expected expected)
      : volume_(std::move(volume)), expected_(expected), thread_([this] { Watch(); }) {}
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() { Stop(); }

  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After Stop().
  [[nodiscard]] std::uint64_t reads() const { return reads_; }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

 private:
  void Watch() {
    namespace fs = std::filesystem;
    while (!stop_) {
      std::error_code error;
      fs::recursive_directory_iterator walk(volume_ / "raw", error);
      for (; !stop_ && !error && walk != fs::recursive_directory_iterator();
           walk.increment(error)) {
        std::error_code gone;
        if (walk->is_directory(gone) || gone) continue;
        if (!rig::ParseOracleName(walk->path().filename().string())) continue;
        const std::string wrong = rig::WrongWithBlock(walk->path(), expected_);
        if (!wrong.empty()) violations_.push_back(walk->path().string() + ": " + wrong);
        ++reads_;
      }
      std::this_thread::yield();
    }
  }

  const std::filesystem::path volume_;
  const rig::Expected expected_;
  std::atomic<bool> stop_{false};
  std::uint64_t reads_ = 0;
  std::vector<std::string> violations_;
  std::thread thread_;
};

}  // namespace prewarm::faults
