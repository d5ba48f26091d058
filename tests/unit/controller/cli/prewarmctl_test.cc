// The program itself, as a child process, against a real gRPC server with a service of the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>

#include "tests/rig/temp_dir.h"
#include "tests/unit/controller/fake_controller.h"

namespace prewarm::ctl {
namespace {

using controller::ATask;
using controller::FakeController;
using controller::FakeService;
using controller::PrewarmState;
using controller::PrewarmView;
using controller::TaskState;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Prewarmctl : public testing::Test {
 protected:
  struct Ended {
    int code = -1;
    std::string said;
  };

  std::unique_ptr<rig::ChildProcess> Start(std::vector<std::string> words,
                                           const std::string& token = "all") {
    const auto bin = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    words.insert(words.begin(), (bin / "prewarmctl").string());
    log_ = folder_ / ("log-" + std::to_string(++runs_));
    return std::make_unique<rig::ChildProcess>(
        std::move(words), log_,
        std::vector<std::string>{"PREWARM_TOKEN=" + token, "HOME=" + folder_.path().string(),
                                 "XDG_CONFIG_HOME=" + folder_.path().string()});
  }
  Ended Run(std::vector<std::string> words, const std::string& token = "all") {
    words.insert(words.end(), {"--insecure", "--server", controller_.address()});
    const auto child = Start(std::move(words), token);
    const int code = child->Wait();
    return {code, child->Log()};
  }

  void AddTasks(const std::string& id, PrewarmState state, TaskState first, TaskState second) {
    controller_.With([&](FakeService& service) {
      service.Change(id, [&](PrewarmView& view) {
        view.prewarm.state = state;
        view.tasks = {{ATask("gpu-1", first, 1 << 20, 1 << 20), {}},
                      {ATask("gpu-2", second, 1 << 20, 1 << 19), {}}};
      });
    });
  }
  bool HasPrewarm() {
    return rig::WaitFor([&] {
      return controller_.With([](FakeService& service) { return !service.prewarms.empty(); });
    });
  }

  rig::TempDir folder_;
  FakeController controller_;
  std::string log_;
  int runs_ = 0;
};

TEST_F(Prewarmctl, SaysWhatWasAccepted) {
  const auto text = Run({"warm", "models:llama"});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.said, "prewarm pw-1 accepted\n");
  const auto json = Run({"warm", "models:llama", "-o", "json"});
  EXPECT_EQ(boost::json::parse(json.said).at("id").as_string(), "pw-2");
}

TEST_F(Prewarmctl, RepeatsARequestUnderItsKey) {
  EXPECT_THAT(Run({"warm", "models:a", "--idempotency-key", "k"}).said, HasSubstr("pw-1"));
  EXPECT_THAT(Run({"warm", "models:a", "--idempotency-key", "k"}).said, HasSubstr("pw-1"));
}

TEST_F(Prewarmctl, ExitsWithHowThePrewarmEnded) {
  const auto wait = [&](PrewarmState state, TaskState second) {
    controller_.With([](FakeService& service) { service.prewarms.clear(); });
    const auto child =
        Start({"warm", "models:llama", "--wait", "--insecure", "--server", controller_.address()});
    EXPECT_TRUE(HasPrewarm());
    AddTasks("pw-1", PrewarmState::kRunning, TaskState::kRunning, TaskState::kQueued);
    EXPECT_TRUE(rig::WaitFor([&] { return child->Log().find("running") != std::string::npos; }));
    AddTasks("pw-1", state, TaskState::kVisible, second);
    const int code = child->Wait();
    return Ended{code, child->Log()};
  };
  const auto done = wait(PrewarmState::kSucceeded, TaskState::kVisible);
  EXPECT_EQ(done.code, 0);
  EXPECT_THAT(done.said, AllOf(HasSubstr("gpu-1"), HasSubstr("pw-1 succeeded: 2 of 2 nodes"),
                               Not(HasSubstr("\033"))));
  const auto partly = wait(PrewarmState::kFailed, TaskState::kFailed);
  EXPECT_EQ(partly.code, 3);
  EXPECT_THAT(partly.said, HasSubstr("pw-1 failed: 1 of 2 nodes visible"));
  EXPECT_EQ(wait(PrewarmState::kCancelled, TaskState::kCancelled).code, 1);
}

TEST_F(Prewarmctl, FollowsOnThroughAControllerThatGoesAndComesBack) {
  const auto child =
      Start({"warm", "models:llama", "--wait", "--insecure", "--server", controller_.address()});
  ASSERT_TRUE(HasPrewarm());
  AddTasks("pw-1", PrewarmState::kRunning, TaskState::kRunning, TaskState::kRunning);
  const auto says = [&](const std::string& words) {
    return rig::WaitFor([&] { return child->Log().find(words) != std::string::npos; });
  };
  EXPECT_TRUE(says("running"));
  controller_.Stop();
  EXPECT_TRUE(says("trying again"));
  EXPECT_TRUE(child->Running());
  controller_.Start();
  AddTasks("pw-1", PrewarmState::kSucceeded, TaskState::kVisible, TaskState::kVisible);
  EXPECT_EQ(child->Wait(), 0) << child->Log();
  EXPECT_TRUE(says("pw-1 succeeded"));
  EXPECT_EQ(controller_.With([](FakeService& service) { return service.created.size(); }), 1U);
}

TEST_F(Prewarmctl, ShowsADryRunAndCreatesNothing) {
  const auto ended = Run({"warm", "models:llama", "--dry-run"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.said, AllOf(HasSubstr("gpu-1"), HasSubstr("order"), HasSubstr("5.00 GiB"),
                                HasSubstr("needs 5 GiB")));
  EXPECT_TRUE(controller_.With([](FakeService& service) { return service.prewarms.empty(); }));
}

TEST_F(Prewarmctl, TellsAProblemInOneLineAndNeverTheToken) {
  const auto invalid = Run({"warm", "models:llama", "--priority", "2000"});
  EXPECT_EQ(invalid.code, 2);
  EXPECT_THAT(invalid.said, HasSubstr("spec.priority: 2000 is not from 0 to 1000"));
  const auto absent = Run({"describe", "prewarm", "pw-9"});
  EXPECT_EQ(absent.code, 1);
  EXPECT_EQ(absent.said, "prewarmctl: There is no \"pw-9\".\n");
  const auto stranger = Run({"get", "nodes"}, "token-of-a-stranger");
  EXPECT_EQ(stranger.code, 1);
  EXPECT_THAT(stranger.said, AllOf(HasSubstr("unknown"), Not(HasSubstr("stranger"))));
  const auto nobody = Run({"get", "nodes"}, "");
  EXPECT_THAT(nobody.said, HasSubstr("--token-file"));
}

TEST_F(Prewarmctl, GetsAllPagesAndDescribes) {
  controller_.With([](FakeService& service) {
    for (int i = 0; i < 120; ++i) {
      const auto id = "pw-" + std::to_string(100 + i);
      service.prewarms[id].view.prewarm.id = id;
    }
    controller::NodeView node;
    node.node.name = "gpu-1";
    node.node.labels["zone"] = "a";
    service.nodes["gpu-1"] = node;
    service.volumes["models"] = {"models", "uuid-1", "s3", true, "", 1, 0, {}};
  });
  const auto list = Run({"get", "prewarms", "-o", "json"});
  EXPECT_EQ(boost::json::parse(list.said).at("prewarms").as_array().size(), 120U);
  EXPECT_THAT(Run({"get", "prewarms", "--state", "failed"}).said, "no prewarms\n");
  EXPECT_THAT(Run({"get", "node", "gpu-1"}).said, HasSubstr("away"));
  EXPECT_THAT(Run({"describe", "node", "gpu-1"}).said, HasSubstr("zone=a"));
  EXPECT_THAT(Run({"describe", "volume", "models", "-o", "yaml"}).said, HasSubstr("uuid: uuid-1"));
}

TEST_F(Prewarmctl, CancelsAndListsFiles) {
  controller_.With([](FakeService& service) {
    service.prewarms["pw-1"].view.prewarm.id = "pw-1";
    for (int i = 0; i < 2500; ++i) service.files.push_back({"f" + std::to_string(i), 1024, 1});
  });
  EXPECT_EQ(Run({"cancel", "prewarm", "pw-1"}).said, "prewarm pw-1 cancelled\n");
  const auto text = Run({"files", "models:llama"}).said;
  EXPECT_THAT(text, AllOf(HasSubstr("f2499\n"), HasSubstr("2,500 files, 2.44 MiB\n")));
  const auto json = boost::json::parse(Run({"files", "models", "-o", "json"}).said);
  EXPECT_EQ(json.at("files").as_array().size(), 2500U);
  EXPECT_EQ(json.at("next_page_token").as_string(), "");
}

TEST_F(Prewarmctl, WatchesAsDocumentsLineByLine) {
  controller_.With([](FakeService& service) { service.prewarms["pw-1"].view.prewarm.id = "pw-1"; });
  const auto child = Start(
      {"watch", "prewarm", "pw-1", "-o", "json", "--insecure", "--server", controller_.address()});
  EXPECT_TRUE(rig::WaitFor([&] { return child->Log().find("pending") != std::string::npos; }));
  AddTasks("pw-1", PrewarmState::kSucceeded, TaskState::kVisible, TaskState::kVisible);
  EXPECT_EQ(child->Wait(), 0) << child->Log();
  std::istringstream lines(child->Log());
  std::vector<std::string> states;
  for (std::string line; std::getline(lines, line);) {
    states.emplace_back(boost::json::parse(line).at("state").as_string());
  }
  EXPECT_THAT(states, testing::ElementsAre("pending", "succeeded"));
}

}  // namespace
}  // namespace prewarm::ctl
