// What Prometheus reads of workloads.
#include "controller/operator/workload_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace prewarm::controller {
namespace {

using testing::HasSubstr;
using testing::Not;

WallTime At(int seconds) {
  return WallTime(std::chrono::hours(500'000)) + std::chrono::seconds(seconds);
}

bento::ObjectRef Ref(const std::string& name) {
  return {"serving.yatai.ai/v2alpha1", "BentoDeployment", "team", name, "uid-" + name};
}

// Workloads that want n1, which is warm.
class Rig {
 public:
  Rig() {
    models_.bento = "chat:1";
    models_.models.emplace_back().state = bento::ModelState::kSeeded;
  }
  std::vector<demand::PodTimeline> Take(const std::string& name) {
    WorkloadOutput output;
    auto& desired = output.desired.emplace_back();
    const auto ref = Ref(name);
    desired.workload = {ref.api_version, ref.kind, ref.name, ref.uid};
    desired.version = models_.bento;
    desired.targets = {{"n1", 700, "hpa-desired", "two are wanted"}};
    for (const auto& pod : pods_) output.bound.push_back(&pod);
    output.undecided = undecided_;
    auto prewarm = NewPrewarmFor(desired, At(0));
    auto& task = prewarm.tasks["n1"];
    task.state = TaskState::kVisible;
    task.progress.planned_bytes = 100;
    const std::vector existing{prewarm};
    return workloads_.Take(ref, {models_, output, existing, [](const auto&) { return true; }});
  }
  std::vector<demand::PodTimeline> Round(const std::string& name, int at) {
    workloads_.Begin(At(at));
    auto arrived = Take(name);
    workloads_.End();
    return arrived;
  }
  void Bind(const std::string& name, int at) {
    auto& pod = pods_.emplace_back();
    pod.name = name;
    pod.uid = "uid-" + name;
    pod.node = "n1";
    pod.bound_at = At(at);
  }
  [[nodiscard]] std::string Text() const { return metrics_.Text(); }

  Metrics metrics_;
  WorkloadMetrics workloads_{metrics_};
  bool undecided_ = false;

 private:
  bento::ModelPlan models_;
  std::deque<demand::Pod> pods_;
};

const char* const kChat =
    R"(workload="chat",workload_kind="BentoDeployment",workload_namespace="team")";

TEST(WorkloadMetrics, TellHowWarmAWorkloadIs) {
  Rig rig;
  rig.Round("chat", 6);
  const auto text = rig.Text();
  EXPECT_THAT(text, HasSubstr("prewarm_controller_workloads{state=\"warm\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_workloads{state=\"unresolved\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("prewarm_controller_targets{signal=\"hpa-desired\",state=\"ahead\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_workload_state{state=\"warm\"," +
                              std::string(kChat) + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_workload_visible_bytes{" + std::string(kChat) +
                              "} 100\n"));
  EXPECT_THAT(text,
              HasSubstr("prewarm_controller_unresolved_models{reason=\"UnknownVolume\"} 0\n"));
}

TEST(WorkloadMetrics, TellHowEarlyANodeWasWarmForItsPod) {
  Rig rig;
  rig.Round("chat", 6);
  rig.Bind("chat-1", 25);
  ASSERT_EQ(rig.Round("chat", 25).size(), 1U);
  EXPECT_TRUE(rig.Round("chat", 26).empty()) << "each pod is told once";
  const auto text = rig.Text();
  EXPECT_THAT(text, HasSubstr("prewarm_controller_pods_bound_total{arrival=\"warm\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_pods_bound_total{arrival=\"failed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_warm_lead_seconds_sum{until=\"bound\"} 19\n"));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_workload_pods_bound_total{arrival=\"warm\"," +
                              std::string(kChat) + "} 1\n"));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_workload_warm_lead_seconds{until=\"bound\"," +
                              std::string(kChat) + "} 19\n"));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_workload_least_lead_seconds{" +
                              std::string(kChat) + "} 19\n"));
  EXPECT_THAT(text, Not(HasSubstr("chat-1"))) << "no pod in a label";
}

TEST(WorkloadMetrics, EndASeriesWithItsWorkloadAndKeepWhatIsNotDecided) {
  Rig rig;
  rig.Round("chat", 6);
  rig.undecided_ = true;
  rig.Round("chat", 7);
  EXPECT_THAT(rig.Text(), HasSubstr("prewarm_controller_workloads{state=\"warm\"} 1\n"));
  rig.Round("other", 8);
  EXPECT_THAT(rig.Text(), Not(HasSubstr(kChat)));
}

TEST(WorkloadMetrics, GiveSeriesToThoseThatChangedLast) {
  Rig rig;
  const auto all = [&rig](int at) {
    rig.workloads_.Begin(At(at));
    for (std::size_t i = 0; i < WorkloadMetrics::kMostWorkloads + 100; ++i) {
      rig.Take("w" + std::to_string(i));
    }
  };
  all(6);
  rig.Take("old");
  rig.workloads_.End();
  rig.Bind("pod", 9);
  all(9);  // all but one see a pod come
  rig.undecided_ = true;
  rig.Take("old");
  rig.workloads_.End();
  const auto text = rig.Text();
  std::size_t series = 0;
  constexpr std::string_view kState = "\nprewarm_controller_workload_state{";
  for (auto at = text.find(kState); at != std::string::npos; at = text.find(kState, at + 1)) {
    ++series;
  }
  EXPECT_EQ(series, WorkloadMetrics::kMostWorkloads);
  EXPECT_THAT(text, Not(HasSubstr("workload=\"old\"")));
  EXPECT_THAT(text, HasSubstr("prewarm_controller_workloads{state=\"warm\"} 601\n"));
}

}  // namespace
}  // namespace prewarm::controller
