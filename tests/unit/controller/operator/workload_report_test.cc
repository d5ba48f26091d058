// What a look finds of a workload: its state, its nodes, its bytes.
#include "controller/operator/workload_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <set>

namespace prewarm::controller {
namespace {

using bento::ModelState;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

WallTime At(int seconds) {
  return WallTime(std::chrono::hours(500'000)) + std::chrono::seconds(seconds);
}

// A workload with one model on volume "a", which n1 and n2 are to have.
class Look {
 public:
  Look() {
    models_.bento = "chat:1";
    Model(ModelState::kSeeded);
    Want("a", {"n1", "n2"});
  }

  void Model(ModelState state) {
    auto& model = models_.models.emplace_back();
    model.tag = "m" + std::to_string(models_.models.size());
    model.state = state;
  }
  DesiredPrewarm& Want(const std::string& volume, const std::vector<std::string>& nodes) {
    auto& desired = output_.desired.emplace_back();
    desired.name_space = "team";
    desired.workload = {"serving.yatai.ai/v2alpha1", "BentoDeployment", "chat", "uid-1"};
    desired.volume = volume;
    desired.version = "chat:1";
    for (const auto& node : nodes) desired.targets.push_back({node, 700, "hpa-desired", "two"});
    return desired;
  }
  // The prewarm for a desired one, with its targets as they are now.
  Prewarm& Made(std::size_t index = 0) {
    return existing_.emplace_back(NewPrewarmFor(output_.desired[index], At(0)));
  }
  static NodeTask& Task(Prewarm& prewarm, const std::string& node, TaskState state) {
    auto& task = prewarm.tasks[node];
    task.node = node;
    task.state = state;
    task.progress.planned_bytes = 100;
    return task;
  }
  void Bind(std::string node) {
    auto& pod = pods_.emplace_back();
    pod.node = std::move(node);
    output_.bound.push_back(&pod);
  }
  [[nodiscard]] std::vector<WorkloadNode> Nodes() const { return NodesOf(Facts(), At(9)); }
  [[nodiscard]] WorkloadReport Report() const { return ReportOn(Facts(), Nodes()); }

  bento::ModelPlan models_;
  WorkloadOutput output_;
  std::vector<Prewarm> existing_;
  std::set<std::string> without_agent_;

 private:
  [[nodiscard]] WorkloadLook Facts() const {
    return {models_, output_, existing_,
            [this](const std::string& node) { return !without_agent_.contains(node); }};
  }

  std::deque<demand::Pod> pods_;
};

TEST(WorkloadReport, TellsWhichNodesAreWarmBeforeTheirPods) {
  Look look;
  auto& made = look.Made();
  Look::Task(made, "n1", TaskState::kVisible);
  Look::Task(made, "n2", TaskState::kStored);
  EXPECT_EQ(look.Report().state, WorkloadState::kWarming);
  EXPECT_EQ(look.Report().Targets(), (TargetCounts{1, 0, 1, 0}));
  EXPECT_EQ(look.Report().planned_bytes, 200U);
  EXPECT_EQ(look.Report().visible_bytes, 100U) << "stored is not visible";
  look.Bind("n1");
  look.Bind("n2");
  EXPECT_EQ(look.Report().Targets(), (TargetCounts{0, 1, 0, 1}));
  EXPECT_THAT(look.Report().targets, ElementsAre(Pair("hpa-desired", testing::_)));
  Look::Task(made, "n2", TaskState::kVisible);
  EXPECT_EQ(look.Report().state, WorkloadState::kWarm);
}

TEST(WorkloadReport, CallsANodeWarmWhenItIsForEveryVolume) {
  Look look;
  look.Want("b", {"n1"});
  auto& first = look.Made(0);
  Look::Task(first, "n1", TaskState::kVisible);
  Look::Task(first, "n2", TaskState::kVisible);
  ASSERT_THAT(look.Nodes(), SizeIs(2));
  EXPECT_EQ(look.Nodes()[0].now.warm_at, std::nullopt) << "nobody has made the other prewarm yet";
  EXPECT_EQ(look.Nodes()[1].now.warm_at, At(9));
  auto& second = look.Made(1);
  Look::Task(second, "n1", TaskState::kRunning);
  EXPECT_EQ(look.Nodes()[0].now.warm_at, std::nullopt);
  Look::Task(second, "n1", TaskState::kVisible);
  EXPECT_EQ(look.Nodes()[0].now.warm_at, At(9));
  EXPECT_EQ(look.Report().planned_bytes, 300U);
}

TEST(WorkloadReport, KnowsWhatEachNodeWaitsFor) {
  Look look;
  look.without_agent_.insert("n2");
  EXPECT_FALSE(look.Nodes()[0].now.chosen_before);
  auto& made = look.Made();
  Look::Task(made, "n1", TaskState::kFailed);
  EXPECT_TRUE(look.Nodes()[0].now.chosen_before);
  EXPECT_TRUE(look.Nodes()[0].now.failed);
  EXPECT_TRUE(look.Nodes()[0].now.has_agent);
  EXPECT_FALSE(look.Nodes()[1].now.has_agent);
}

TEST(WorkloadReport, LeavesVersionsBeforeOut) {
  Look look;
  look.Want("a", {"n9"}).version = "chat:0";
  EXPECT_THAT(look.Nodes(), SizeIs(2));
}

TEST(WorkloadReport, NamesTheStateThatSomebodyHasToActOnFirst) {
  Look look;
  look.output_.desired.clear();
  EXPECT_EQ(look.Report().state, WorkloadState::kNoDemand);
  EXPECT_EQ(ObstacleOf(look.Report()), std::nullopt);
  look.Model(ModelState::kPartial);
  EXPECT_EQ(look.Report().state, WorkloadState::kNotSeeded);
  EXPECT_EQ(ObstacleOf(look.Report()), demand::Arrival::kNotSeeded);
  look.Model(ModelState::kUnlooked);
  EXPECT_EQ(look.Report().state, WorkloadState::kUnlooked);
  look.models_.unresolved.push_back({"m", bento::Obstacle::kUnknownVolume, "of nobody"});
  EXPECT_EQ(look.Report().state, WorkloadState::kUnresolved);
  EXPECT_EQ(ObstacleOf(look.Report()), demand::Arrival::kUnresolved);
  EXPECT_THAT(look.Report().unresolved, ElementsAre(Pair("UnknownVolume", 1U)));
  look.models_ = {};
  EXPECT_EQ(look.Report().state, WorkloadState::kNothingToWarm);
  EXPECT_THAT(look.Report().targets, IsEmpty());
}

TEST(WorkloadReport, WarmsWhatIsThereAlthoughAnotherModelIsNotSeeded) {
  Look look;
  look.Model(ModelState::kPartial);
  Look::Task(look.Made(), "n1", TaskState::kVisible);
  EXPECT_EQ(look.Report().state, WorkloadState::kNotSeeded);
  EXPECT_EQ(ObstacleOf(look.Report()), std::nullopt);
}

}  // namespace
}  // namespace prewarm::controller
