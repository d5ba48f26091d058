#include "controller/demand/hpa_trend.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace prewarm::controller::demand {
namespace {

// The autoscaler publishes every 15 s.
constexpr std::chrono::seconds kSampleEvery{15};
constexpr std::chrono::seconds kSampleFor{120};
constexpr std::size_t kMaxSamples = 9;
constexpr double kTolerance = 0.1;
// A forecast ends only when the ratio is this part of where it began.
constexpr double kCalm = 0.9;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::optional<double> MetricRatio(const Hpa& hpa) {
  std::optional<double> ratio;
  for (const auto& metric : hpa.metrics) {
    if (metric.target > 0) ratio = std::max(ratio.value_or(0), metric.current / metric.target);
  }
  return ratio;
}

std::int32_t ReplicasByRatio(std::int32_t current, double ratio) {
  if (1 - kTolerance <= ratio && ratio <= 1 + kTolerance) return current;
  const double wanted = std::ceil(static_cast<double>(current) * ratio);
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  return wanted >= static_cast<double>(kMost) ? kMost : static_cast<std::int32_t>(wanted);
}

void HpaTrend::Take(const Hpa& hpa, double threshold, WallTime now) {
  const auto ratio = MetricRatio(hpa);
  if (!ratio) {
    *this = {};
    return;
  }
  std::erase_if(samples, [&](const Sample& sample) {
    return sample.at > now || now - sample.at > kSampleFor;
  });
  // The same number again soon after is the same publication.
  const bool again =
      !samples.empty() && samples.back().ratio == *ratio && now - samples.back().at < kSampleEvery;
  if (!again) {
    if (!samples.empty() && samples.back().at == now) samples.pop_back();
    if (samples.size() == kMaxSamples) samples.erase(samples.begin());
    samples.push_back({now, *ratio});
  }
  if (*ratio > threshold && Slope() > 0) rising = true;
  if (*ratio < threshold * kCalm) rising = false;
}

double HpaTrend::Slope() const {
  if (samples.size() < 2) return 0;
  double mean_time = 0;
  double mean_ratio = 0;
  const auto count = static_cast<double>(samples.size());
  for (const auto& sample : samples) {
    mean_time += Seconds(sample.at - samples.front().at) / count;
    mean_ratio += sample.ratio / count;
  }
  double together = 0;
  double alone = 0;
  for (const auto& sample : samples) {
    const double time = Seconds(sample.at - samples.front().at) - mean_time;
    together += time * (sample.ratio - mean_ratio);
    alone += time * time;
  }
  return alone > 0 ? together / alone : 0;
}

}  // namespace prewarm::controller::demand
