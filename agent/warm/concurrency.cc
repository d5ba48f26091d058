#include "agent/warm/concurrency.h"

#include <algorithm>

namespace prewarm::agent {
namespace {

constexpr double kDoublingMustGain = 1.15;
constexpr double kMoreMustGain = 1.04;  // more requests must pay for themselves
constexpr double kFewerMayLose = 0.99;  // fewer are kept unless they cost something
constexpr int kRestWindows = 4;         // between two tries

}  // namespace

ConcurrencyController::ConcurrencyController(Bounds bounds)
    : bounds_{std::min(bounds.initial, bounds.maximum), std::max<std::size_t>(bounds.maximum, 1)},
      target_(std::max<std::size_t>(bounds_.initial, 1)),
      settled_(target_) {}

std::size_t ConcurrencyController::Step() const { return std::max<std::size_t>(settled_ / 8, 1); }

void ConcurrencyController::Try(std::size_t target, Phase phase) {
  target_ = std::clamp<std::size_t>(target, 1, bounds_.maximum);
  phase_ = target_ == settled_ ? Phase::kSteady : phase;
  windows_at_rest_ = 0;
}

void ConcurrencyController::OnWindow(double bytes_per_second) {
  switch (phase_) {
    case Phase::kDoubling:
      if (settled_rate_ > 0 && bytes_per_second < settled_rate_ * kDoublingMustGain) {
        Try(settled_, Phase::kSteady);
        return;
      }
      settled_ = target_;
      settled_rate_ = bytes_per_second;
      Try(target_ * 2, Phase::kDoubling);
      return;
    case Phase::kTriedMore:
      if (bytes_per_second >= settled_rate_ * kMoreMustGain) settled_ = target_;
      break;
    case Phase::kTriedFewer:
      if (bytes_per_second >= settled_rate_ * kFewerMayLose) settled_ = target_;
      break;
    case Phase::kSteady:
      settled_rate_ = bytes_per_second;
      if (++windows_at_rest_ < kRestWindows) return;
      try_fewer_next_ = !try_fewer_next_;
      if (try_fewer_next_ && settled_ > 1) {
        Try(settled_ - Step(), Phase::kTriedFewer);
      } else {
        Try(settled_ + Step(), Phase::kTriedMore);
      }
      return;
  }
  if (settled_ == target_) settled_rate_ = bytes_per_second;
  Try(settled_, Phase::kSteady);
}

}  // namespace prewarm::agent
