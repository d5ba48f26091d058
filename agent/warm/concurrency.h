// How many requests to keep in flight: as few as give the rate that the link has. Starts small,
// doubles while that pays, then tries a step up or down now and then and keeps what was no worse.
// A store that pushes back is RequestWindow's concern. Pure: fed once per measuring window. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prewarm::agent {

class ConcurrencyController {
 public:
  struct Bounds {
    std::size_t initial = 8;
    std::size_t maximum = 64;
  };
  explicit ConcurrencyController(Bounds bounds);

  [[nodiscard]] std::size_t target() const { return target_; }
  // The rate seen since the last call, in bytes per second, while `target()` was in force.
  void OnWindow(double bytes_per_second);

 private:
  enum class Phase : std::uint8_t { kDoubling, kSteady, kTriedMore, kTriedFewer };
  void Try(std::size_t target, Phase phase);
  [[nodiscard]] std::size_t Step() const;

  Bounds bounds_;
  Phase phase_ = Phase::kDoubling;
  std::size_t target_;
  std::size_t settled_;      // the last target known to be good
  double settled_rate_ = 0;  // what it gave
  int windows_at_rest_ = 0;
  bool try_fewer_next_ = false;
};

}  // namespace prewarm::agent
