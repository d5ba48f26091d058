// What a meter hears of requests and watches, and in which words.
#include "controller/kube/metered_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <vector>

#include "common/async/task_group.h"
#include "tests/unit/controller/kube/scripted_api.h"

namespace prewarm::controller::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

RequestKind Kind(std::string_view verb, std::string resource) {
  return {verb, std::move(resource)};
}

TEST(RequestKind, NamesVerbAndResourceAndNoObject) {
  const Resource prewarms{"prewarm.dev", "v1alpha1", "prewarms"};
  const Resource pods{"", "v1", "pods"};
  const Resource nodes{"", "v1", "nodes"};
  const ObjectKey key{"team", "a.b~c d"};
  EXPECT_EQ(KindOf(Method::kGet, *CollectionPath(prewarms, "")),
            Kind("list", "prewarms.prewarm.dev"));
  EXPECT_EQ(KindOf(Method::kGet, *CollectionPath(pods, "namespaces")), Kind("list", "pods"));
  EXPECT_EQ(KindOf(Method::kGet, *ObjectPath(prewarms, key)), Kind("get", "prewarms.prewarm.dev"));
  EXPECT_EQ(KindOf(Method::kPatch, *ObjectPath(prewarms, key, "status")),
            Kind("patch", "prewarms.prewarm.dev/status"));
  EXPECT_EQ(KindOf(Method::kDelete, *ObjectPath(nodes, {"", "n1"})), Kind("delete", "nodes"));
  EXPECT_EQ(KindOf(Method::kPut, *ObjectPath(nodes, {"", "n1"})), Kind("update", "nodes"));
  EXPECT_EQ(KindOf(Method::kPost, *CollectionPath(pods, "team")), Kind("create", "pods"));
  EXPECT_EQ(KindOf(Method::kGet, *ObjectPath({"", "v1", "namespaces"}, {"", "team"})),
            Kind("get", "namespaces"));
  EXPECT_EQ(KindOf(Method::kGet, *GroupVersionPath(prewarms)), Kind("get", "discovery"));
  EXPECT_EQ(KindOf(Method::kGet, "/version"), Kind("get", "other"));
  EXPECT_EQ(KindOf(Method::kGet, ""), Kind("get", "other"));
}

class Heard final : public RequestMeter {
 public:
  void Done(const RequestReport& report) override { reports.push_back(report); }
  void WatchOpened(const std::string& resource) override { opened.push_back(resource); }
  void WatchClosed(const std::string& resource) override { closed.push_back(resource); }

  std::vector<RequestReport> reports;
  std::vector<std::string> opened;
  std::vector<std::string> closed;
};

class MeteredApiTest : public testing::Test {
 protected:
  MeteredApiTest() {
    auto scripted = std::make_unique<ScriptedApi>();
    script_ = scripted.get();
    api_ = std::make_unique<MeteredApi>(std::move(scripted), clock_, heard_);
  }
  Task<void> Into(Task<Result<KubeAnswer>> task) { answer_ = co_await std::move(task); }
  void Run(Task<Result<KubeAnswer>> task) {
    boost::asio::io_context loop;
    TaskGroup group(loop.get_executor());
    group.Spawn("call", Into(std::move(task)));
    loop.run();
  }
  void Send(Method method) { Run(api_->Send({.method = method, .path = "/api/v1/nodes/n1"})); }
  void Watch() {
    Run(api_->Watch({.path = "/api/v1/pods", .on_open = [this] { ++told_open_; }},
                    [](WatchEventType, const boost::json::object&) { return Status(); }));
  }

  SystemClock clock_;
  Heard heard_;
  ScriptedApi* script_ = nullptr;
  std::unique_ptr<MeteredApi> api_;
  Result<KubeAnswer> answer_ = KubeAnswer{};
  int told_open_ = 0;
};

TEST_F(MeteredApiTest, TellsOfEveryAnswerAndOfNone) {
  script_->on_send = [](const KubeRequest&) { return KubeAnswer{.status = 409}; };
  Send(Method::kPatch);
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->status, 409U);
  script_->on_send = [](const KubeRequest&) -> Result<KubeAnswer> {
    return Fail(ErrorCode::kUnavailable, "refused");
  };
  Send(Method::kGet);
  EXPECT_FALSE(answer_);
  script_->on_send = [](const KubeRequest&) -> Result<KubeAnswer> {
    return Fail(ErrorCode::kCancelled, "stopped");
  };
  Send(Method::kGet);
  ASSERT_EQ(heard_.reports.size(), 2U) << "what we stopped ourselves says nothing of the server";
  EXPECT_EQ(heard_.reports[0].kind, Kind("patch", "nodes"));
  EXPECT_EQ(heard_.reports[0].status, 409U);
  EXPECT_EQ(heard_.reports[1].kind, Kind("get", "nodes"));
  EXPECT_EQ(heard_.reports[1].status, std::nullopt);
}

TEST_F(MeteredApiTest, CountsAWatchAsOpenWhileItIs) {
  script_->on_watch = [this](const WatchRequest& request, const WatchSink&) -> Result<KubeAnswer> {
    EXPECT_THAT(heard_.opened, IsEmpty());
    request.on_open();
    EXPECT_THAT(heard_.opened, ElementsAre("pods"));
    EXPECT_THAT(heard_.closed, IsEmpty());
    return Fail(ErrorCode::kUnavailable, "cut");
  };
  Watch();
  EXPECT_EQ(told_open_, 1);
  EXPECT_THAT(heard_.closed, ElementsAre("pods"));
  ASSERT_EQ(heard_.reports.size(), 1U) << "the end of a watch is no answer";
  EXPECT_EQ(heard_.reports[0].kind, Kind("watch", "pods"));
  EXPECT_EQ(heard_.reports[0].status, 200U);
}

TEST_F(MeteredApiTest, TellsOfAWatchThatWasRefused) {
  script_->on_watch = [](const WatchRequest&, const WatchSink&) {
    return KubeAnswer{.status = 410};
  };
  Watch();
  EXPECT_THAT(heard_.opened, IsEmpty());
  EXPECT_THAT(heard_.closed, IsEmpty());
  ASSERT_EQ(heard_.reports.size(), 1U);
  EXPECT_EQ(heard_.reports[0].status, 410U);
}

}  // namespace
}  // namespace prewarm::controller::kube
