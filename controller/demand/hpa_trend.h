// Whether an autoscaler is about to add replicas, from the last few numbers that it published. Pure
// value.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "controller/demand/objects.h"

namespace prewarm::controller::demand {

// The largest of current/target over the metrics; nothing where there is none.
std::optional<double> MetricRatio(const Hpa& hpa);
// What the autoscaler's formula makes of a ratio: ceil(current * ratio), and `current` within its
// tolerance of 10 %.
std::int32_t ReplicasByRatio(std::int32_t current, double ratio);

struct HpaTrend {
  struct Sample {
    WallTime at;
    double ratio = 0;
    bool operator==(const Sample&) const = default;
  };
  std::vector<Sample> samples;  // the last few, oldest first
  bool rising = false;          // a scale-up is likely

  bool operator==(const HpaTrend&) const = default;

  // Takes the autoscaler's numbers in. `rising` becomes true when the ratio is above `threshold`
  // and was growing over the samples, and false when it is a tenth below it: in between it stays,
  // so that a forecast does not flap.
  void Take(const Hpa& hpa, double threshold, WallTime now);
  // Per second, by least squares; 0 with fewer than two samples.
  [[nodiscard]] double Slope() const;
};

}  // namespace prewarm::controller::demand
