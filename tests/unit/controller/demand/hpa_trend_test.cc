// Whether an autoscaler is about to add replicas.
#include "controller/demand/hpa_trend.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/controller/demand/builders.h"

namespace prewarm::controller::demand {
namespace {

Hpa At80(double current) {
  Hpa hpa;
  hpa.metrics = {{"cpu", current, 80}};
  return hpa;
}

TEST(HpaFormula, IsKubernetesOwnWithItsTolerance) {
  // tasks/run-application/horizontal-pod-autoscale, "Algorithm details".
  EXPECT_EQ(ReplicasByRatio(1, 2.0), 2) << "200m of 100m";
  EXPECT_EQ(ReplicasByRatio(4, 0.5), 2) << "50m of 100m";
  EXPECT_EQ(ReplicasByRatio(10, 1.1), 10) << "within the tolerance";
  EXPECT_EQ(ReplicasByRatio(10, 0.9), 10);
  EXPECT_EQ(ReplicasByRatio(10, 1.11), 12);
  EXPECT_EQ(ReplicasByRatio(3, 1.5), 5);
  EXPECT_EQ(ReplicasByRatio(0, 7), 0);
  EXPECT_EQ(ReplicasByRatio(1000, 1e300), std::numeric_limits<std::int32_t>::max());
}

TEST(HpaTrend, TakesTheMetricThatIsNearestToItsTarget) {
  Hpa hpa;
  EXPECT_EQ(MetricRatio(hpa), std::nullopt);
  hpa.metrics = {{"cpu", 40, 80}, {"queue", 18, 20}, {"broken", 5, 0}};
  EXPECT_DOUBLE_EQ(MetricRatio(hpa).value(), 0.9);
}

TEST(HpaTrend, RisesAboveTheThresholdWhileItGrows) {
  HpaTrend trend;
  trend.Take(At80(40), 0.85, At(0));
  EXPECT_FALSE(trend.rising);
  trend.Take(At80(60), 0.85, At(15));
  EXPECT_FALSE(trend.rising) << "grows, but is far from the target";
  EXPECT_NEAR(trend.Slope(), 20.0 / 80 / 15, 1e-9);
  trend.Take(At80(72), 0.85, At(30));
  EXPECT_TRUE(trend.rising);
}

TEST(HpaTrend, DoesNotRiseWhereAHighLoadIsSteadyOrFalls) {
  HpaTrend steady;
  for (int i = 0; i < 10; ++i) steady.Take(At80(75), 0.85, At(15 * i));
  EXPECT_FALSE(steady.rising);
  HpaTrend falling;
  for (int i = 0; i < 10; ++i) falling.Take(At80(90 - i), 0.85, At(15 * i));
  EXPECT_FALSE(falling.rising);
}

TEST(HpaTrend, StaysUntilTheLoadIsClearlyBelow) {
  HpaTrend trend;
  trend.Take(At80(60), 0.85, At(0));
  trend.Take(At80(70), 0.85, At(15));
  ASSERT_TRUE(trend.rising);
  for (int i = 2; i < 30; ++i) {
    trend.Take(At80(i % 2 == 0 ? 66 : 70), 0.85, At(15 * i));
    ASSERT_TRUE(trend.rising) << "it trembles about the threshold";
  }
  trend.Take(At80(61), 0.85, At(450));
  EXPECT_FALSE(trend.rising);
}

TEST(HpaTrend, DoesNotChangeWhereNothingDoes) {
  HpaTrend trend;
  trend.Take(At80(60), 0.85, At(0));
  trend.Take(At80(70), 0.85, At(15));
  const auto before = trend;
  for (int i = 0; i < 14; ++i) trend.Take(At80(70), 0.85, At(15 + i));
  EXPECT_EQ(trend, before);
}

TEST(HpaTrend, RemembersFewSamplesHoweverOftenItLooks) {
  HpaTrend trend;
  for (int i = 0; i < 10'000; ++i)
    trend.Take(At80(i % 100), 0.85, At(0) + std::chrono::milliseconds(i));
  EXPECT_LE(trend.samples.size(), 9U);
  trend.Take(At80(10), 0.85, At(1000));
  EXPECT_EQ(trend.samples.size(), 1U) << "the others are long ago";
  trend.Take(At80(20), 0.85, At(500));
  EXPECT_EQ(trend.samples.size(), 1U) << "a clock that was set back makes no samples of the future";
  trend.Take(Hpa{}, 0.85, At(1010));
  EXPECT_EQ(trend, HpaTrend{}) << "the metrics are gone";
}

}  // namespace
}  // namespace prewarm::controller::demand
