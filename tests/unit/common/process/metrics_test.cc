#include "common/process/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>
#include <string>
#include <thread>

namespace prewarm {
namespace {

using testing::HasSubstr;
using testing::Not;

double ValueOf(const Metrics& metrics, const std::string& series) {
  std::istringstream lines(metrics.Text());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
  }
  ADD_FAILURE() << series << " is not in\n" << metrics.Text();
  return -1;
}

TEST(Metrics, TellsCountersGaugesAndHistograms) {
  Metrics metrics;
  const auto blocks = metrics.AddCounter("prewarm_blocks_total", "Blocks.", {{"source", "s3"}});
  const auto depth = metrics.AddGauge("prewarm_queue_depth", "Tasks that wait.");
  const auto time = metrics.AddHistogram("prewarm_plan_seconds", "Planning.", {0.1, 1});
  blocks.Add();
  blocks.Add(41);
  depth.Set(5);
  depth.Add(-2);
  time.Observe(0.5);
  time.Observe(2);
  EXPECT_EQ(ValueOf(metrics, "prewarm_blocks_total{source=\"s3\"}"), 42);
  EXPECT_EQ(ValueOf(metrics, "prewarm_queue_depth"), 3);
  EXPECT_EQ(ValueOf(metrics, "prewarm_plan_seconds_bucket{le=\"0.1\"}"), 0);
  EXPECT_EQ(ValueOf(metrics, "prewarm_plan_seconds_bucket{le=\"1\"}"), 1);
  EXPECT_EQ(ValueOf(metrics, "prewarm_plan_seconds_bucket{le=\"+Inf\"}"), 2);
  EXPECT_EQ(ValueOf(metrics, "prewarm_plan_seconds_sum"), 2.5);
  EXPECT_THAT(metrics.Text(), HasSubstr("# TYPE prewarm_blocks_total counter\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("# HELP prewarm_queue_depth Tasks that wait.\n"));
}

TEST(Metrics, GivesTheSameSeriesForTheSameLabels) {
  Metrics metrics;
  const auto add = [&metrics](const std::string& volume) {
    return metrics.AddCounter("prewarm_bytes_total", "Bytes.", {{"volume", volume}});
  };
  add("a").Add(1);
  add("b").Add(2);
  add("a").Add(3);
  EXPECT_EQ(ValueOf(metrics, "prewarm_bytes_total{volume=\"a\"}"), 4);
  EXPECT_EQ(ValueOf(metrics, "prewarm_bytes_total{volume=\"b\"}"), 2);
}

TEST(Metrics, ReadsAtEachScrapeWhatIsCountedElsewhere) {
  Metrics metrics;
  double agents = 1;
  std::vector<MetricSample> nodes;
  metrics.ReadGauge("prewarm_agents", "Agents.", [&agents] { return agents; });
  metrics.ReadGauges("prewarm_node_bytes", "Cached.", [&nodes] { return nodes; });
  metrics.ReadCounter("prewarm_calls_total", "Calls.", [&agents] { return agents * 10; });
  EXPECT_EQ(ValueOf(metrics, "prewarm_agents"), 1);
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("prewarm_node_bytes")));
  agents = 2;
  nodes = {{{{"node", "n\"1\""}}, 7}};
  EXPECT_EQ(ValueOf(metrics, "prewarm_agents"), 2);
  EXPECT_EQ(ValueOf(metrics, "prewarm_calls_total"), 20);
  EXPECT_EQ(ValueOf(metrics, R"(prewarm_node_bytes{node="n\"1\""})"), 7);
  EXPECT_THAT(metrics.Text(), HasSubstr("# TYPE prewarm_calls_total counter\n"));
  nodes.clear();
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("prewarm_node_bytes")));
}

TEST(Metrics, TellsItsBuildAndItsProcess) {
  Metrics metrics;
  metrics.AddBuildInfo("prewarm_agent", "1.2.3");
  metrics.AddProcess();
  EXPECT_EQ(ValueOf(metrics, "prewarm_agent_build_info{version=\"1.2.3\"}"), 1);
  EXPECT_GT(ValueOf(metrics, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(ValueOf(metrics, "process_virtual_memory_bytes"),
            ValueOf(metrics, "process_resident_memory_bytes"));
  EXPECT_GT(ValueOf(metrics, "process_max_fds"), 10);
  EXPECT_GT(ValueOf(metrics, "process_start_time_seconds"), 1.6e9);
  const double open = ValueOf(metrics, "process_open_fds");
  const int fd = ::dup(0);
  EXPECT_EQ(ValueOf(metrics, "process_open_fds"), open + 1);
  ::close(fd);
  const double threads = ValueOf(metrics, "process_threads");
  std::jthread another([](const std::stop_token& stop) {
    while (!stop.stop_requested()) std::this_thread::yield();
  });
  EXPECT_EQ(ValueOf(metrics, "process_threads"), threads + 1);
}

TEST(Metrics, MakesBucketsThatGrow) {
  EXPECT_EQ(GrowingBuckets(1, 2, 4), (std::vector<double>{1, 2, 4, 8}));
}

TEST(MetricsDeathTest, RefusesNamesThatPrometheusUsersWouldStumbleOver) {
  Metrics metrics;
  EXPECT_DEATH(metrics.AddCounter("prewarm_blocks", "Blocks."), "ends with _total");
  EXPECT_DEATH(metrics.AddGauge("prewarm_blocks_total", "Blocks."), "only a counter");
  EXPECT_DEATH(metrics.AddGauge("Prewarm-Blocks", "Blocks."), "plain name");
  EXPECT_DEATH(metrics.AddGauge("prewarm_blocks", ""), "explanation");
  metrics.ReadGauge("prewarm_agents", "Agents.", [] { return 1.0; });
  EXPECT_DEATH(metrics.ReadGauge("prewarm_agents", "Agents.", [] { return 1.0; }), "added twice");
}

}  // namespace
}  // namespace prewarm
