// Which pods have the leader's label, whatever was there before and whichever request fails.
#include "controller/access/leader_label.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "controller/kube/json_access.h"
#include "tests/unit/controller/kube/scripted_api.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;
using std::chrono_literals::operator""ms;
using testing::HasSubstr;
using testing::IsEmpty;

class LeaderLabelTest : public testing::Test {
 protected:
  LeaderLabelTest() {
    api_.on_send = [this](const kube::KubeRequest& request) { return Answer(request); };
  }
  Result<kube::KubeAnswer> Answer(const kube::KubeRequest& request) {
    if (failures_ > 0) {
      --failures_;
      return Fail(ErrorCode::kTimeout, "no answer");
    }
    if (refusal_) return kube::KubeAnswer{.status = *refusal_, .body = {{"message", "no"}}};
    const std::string folder = "/api/v1/namespaces/prewarm-system/pods";
    if (request.method == kube::Method::kGet) {
      EXPECT_EQ(kube::ParameterOf(request.query, "labelSelector"), "prewarm.dev/leads=true");
      json::array items;
      for (const auto& [name, leads] : pods_) {
        if (leads) items.push_back({{"metadata", {{"name", name}}}});
      }
      return kube::KubeAnswer{.status = 200,
                              .body = {{"metadata", {{"resourceVersion", "1"}}}, {"items", items}}};
    }
    const auto pod = pods_.find(request.path.substr(folder.size() + 1));
    if (pod == pods_.end()) return kube::KubeAnswer{.status = 404, .body = {}};
    const auto& labels = request.body->at("metadata").at("labels").as_object();
    pod->second = kube::TextIn(labels, "prewarm.dev/leads") == "true";
    return kube::KubeAnswer{.status = 200, .body = json::object()};
  }
  // Runs until `condition` holds.
  template <class Condition>
  bool RunUntil(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      loop_.restart();
      loop_.run_for(1ms);
    }
    return condition();
  }
  ~LeaderLabelTest() override {
    group_.Stop();
    loop_.restart();
    loop_.run();
  }

  boost::asio::io_context loop_;
  kube::ScriptedApi api_;
  std::map<std::string, bool> pods_{{"one", true}, {"two", false}, {"three", true}};
  int failures_ = 0;
  std::optional<unsigned> refusal_;
  std::vector<std::string> log_;
  LeaderLabel label_{loop_.get_executor(),
                     api_,
                     Logger(LogLevel::kInfo, LogFormat::kText,
                            [this](std::string_view line) { log_.emplace_back(line); }),
                     {.pod = {"prewarm-system", "one"}, .again = 1ms, .look = 20ms}};
  TaskGroup group_{loop_.get_executor()};
};

TEST_F(LeaderLabelTest, IsTakenFromThePodBeforeItStandsByAndFromNoOther) {
  EXPECT_THAT(label_.trouble(), HasSubstr("not been looked at"));
  group_.Spawn("label", label_.Run());
  ASSERT_TRUE(RunUntil([this] { return label_.trouble().empty(); }));
  EXPECT_FALSE(pods_["one"]);
  EXPECT_TRUE(pods_["three"]);
}

TEST_F(LeaderLabelTest, IsTheLeadersAloneHoweverOftenRequestsFail) {
  failures_ = 5;
  group_.Spawn("label", label_.Run());
  ASSERT_TRUE(RunUntil([this] { return failures_ == 0 && label_.trouble().empty(); }));
  failures_ = 3;
  label_.SetLeading(true);
  ASSERT_TRUE(RunUntil([this] { return pods_["one"] && !pods_["three"]; }));
  EXPECT_FALSE(pods_["two"]);
  pods_["one"] = false;  // somebody meddles
  pods_["two"] = true;
  ASSERT_TRUE(RunUntil([this] { return pods_["one"] && !pods_["two"]; }));
  label_.SetLeading(false);
  ASSERT_TRUE(RunUntil([this] { return !pods_["one"]; }));
}

TEST_F(LeaderLabelTest, KeepsNobodyFromWorkWhereItMayNotBeChanged) {
  refusal_ = 403;
  group_.Spawn("label", label_.Run());
  ASSERT_TRUE(RunUntil([this] { return label_.trouble().empty(); }));
  ASSERT_TRUE(RunUntil([this] { return api_.sent.size() > 3; }));
  EXPECT_EQ(log_.size(), 1U) << "said once";
}

}  // namespace
}  // namespace prewarm::controller
