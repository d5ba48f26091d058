// The reflector's loop with the API as a script: what it asks, what it keeps, what it tells.
#include "controller/kube/reflector.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include "common/async/task_group.h"
#include "controller/kube/json_access.h"
#include "tests/unit/controller/kube/scripted_api.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

json::object Pod(const std::string& name, int version, const std::string& node) {
  return {{"metadata",
           {{"namespace", "ns"}, {"name", name}, {"resourceVersion", std::to_string(version)}}},
          {"node", node}};
}

json::object BookmarkAt(int version, bool initial_events_end) {
  json::object metadata{{"resourceVersion", std::to_string(version)}};
  if (initial_events_end) {
    metadata["annotations"] = json::object{{"k8s.io/initial-events-end", "true"}};
  }
  return {{"metadata", metadata}};
}

json::object PageOf(json::array items, int version, const std::string& more = "") {
  return {{"metadata", {{"resourceVersion", std::to_string(version)}, {"continue", more}}},
          {"items", std::move(items)}};
}

class ReflectorTest : public testing::Test {
 protected:
  ReflectorTest() {
    request_.resource = {"", "v1", "pods"};
    request_.options.shortest_pause = milliseconds(1);
  }

  // Runs until the script stops the group.
  void Run() {
    Reflector<std::string> reflector(
        api_, clock_, request_,
        [](const json::object& object) -> std::optional<std::string> {
          const auto node = TextIn(object, "node");
          if (node.empty()) return std::nullopt;
          return std::string(node);
        },
        {.changed =
             [this](const ObjectKey& key) {
               const auto* value = reflector_->Find(key);
               told_ += key.name + "=" + (value == nullptr ? "gone" : *value) + " ";
             },
         .look_at_all = [this] { told_ += "all "; },
         .state_changed =
             [this](ReflectorState state) { told_ += std::string(StateName(state)) + " "; }},
        1);
    reflector_ = &reflector;
    group_.Spawn("reflector", reflector.Run());
    loop_.run();
    objects_ = reflector.objects();
    counters_ = reflector.counters();
  }

  // One script step per watch; the last one stops everything.
  using WatchScript = std::function<Result<KubeAnswer>(const WatchRequest&, const WatchSink&)>;
  void OnWatches(std::vector<WatchScript> scripts) {
    api_.on_watch = [this, scripts = std::move(scripts), next = std::size_t{0}](
                        const auto& request, const auto& sink) mutable -> Result<KubeAnswer> {
      if (next == scripts.size()) {
        group_.Stop();
        return Fail(ErrorCode::kCancelled, "stopped");
      }
      return scripts[next++](request, sink);
    };
  }

  boost::asio::io_context loop_;
  SystemClock clock_;
  TaskGroup group_{loop_.get_executor()};
  ScriptedApi api_;
  ReflectorRequest request_;
  Reflector<std::string>* reflector_ = nullptr;
  std::string told_;
  Reflector<std::string>::Objects objects_;
  ReflectorCounters counters_;
};

using Objects = Reflector<std::string>::Objects;

TEST_F(ReflectorTest, TakesAStreamedListAsAWholeAndFollowsIt) {
  OnWatches({[this](const WatchRequest& request, const WatchSink& sink) -> Result<KubeAnswer> {
    EXPECT_EQ(request.path, "/api/v1/pods");
    EXPECT_EQ(ParameterOf(request.query, "sendInitialEvents"), "true");
    EXPECT_EQ(ParameterOf(request.query, "resourceVersionMatch"), "NotOlderThan");
    request.on_open();
    EXPECT_TRUE(sink(WatchEventType::kAdded, Pod("a", 5, "n1")));
    EXPECT_TRUE(sink(WatchEventType::kAdded, Pod("b", 3, "n2")));
    EXPECT_TRUE(sink(WatchEventType::kAdded, Pod("dull", 4, "")));
    EXPECT_TRUE(reflector_->objects().empty()) << "half a list is none";
    EXPECT_FALSE(reflector_->synced());
    EXPECT_TRUE(sink(WatchEventType::kBookmark, BookmarkAt(10, true)));
    EXPECT_TRUE(reflector_->synced());
    EXPECT_EQ(told_, "a=n1 b=n2 watching all ");
    told_.clear();
    EXPECT_TRUE(sink(WatchEventType::kModified, Pod("a", 11, "n3")));
    EXPECT_TRUE(sink(WatchEventType::kDeleted, Pod("b", 12, "n2")));
    EXPECT_TRUE(sink(WatchEventType::kModified, Pod("dull", 13, "")));
    EXPECT_TRUE(sink(WatchEventType::kModified, Pod("dull", 14, "n4")));
    EXPECT_TRUE(sink(WatchEventType::kModified, Pod("dull", 15, "")));
    EXPECT_EQ(told_, "a=n3 b=gone dull=n4 dull=gone ");
    return KubeAnswer{.status = 200};
  }});
  Run();
  EXPECT_EQ(objects_, (Objects{{{"ns", "a"}, "n3"}}));
  EXPECT_EQ(counters_.events, 4U);
}

TEST_F(ReflectorTest, ReplacesEverythingAtOnceAfterA410AndTellsOnlyWhatDiffers) {
  OnWatches({[](const WatchRequest& request, const WatchSink& sink) -> Result<KubeAnswer> {
               request.on_open();
               std::ignore = sink(WatchEventType::kAdded, Pod("same", 1, "n"));
               std::ignore = sink(WatchEventType::kAdded, Pod("changed", 2, "n"));
               std::ignore = sink(WatchEventType::kAdded, Pod("gone", 3, "n"));
               std::ignore = sink(WatchEventType::kBookmark, BookmarkAt(10, true));
               const auto status =
                   sink(WatchEventType::kError,
                        {{"kind", "Status"}, {"code", 410}, {"message", "too old"}});
               EXPECT_FALSE(status);
               return status.error();
             },
             [this](const WatchRequest& request, const WatchSink& sink) -> Result<KubeAnswer> {
               EXPECT_EQ(ParameterOf(request.query, "sendInitialEvents"), "true");
               told_.clear();
               request.on_open();
               std::ignore = sink(WatchEventType::kAdded, Pod("same", 1, "n"));
               std::ignore = sink(WatchEventType::kAdded, Pod("changed", 12, "n"));
               std::ignore = sink(WatchEventType::kAdded, Pod("new", 13, "n"));
               EXPECT_EQ(reflector_->objects().size(), 3U) << "the old ones until all are there";
               std::ignore = sink(WatchEventType::kBookmark, BookmarkAt(20, true));
               EXPECT_EQ(told_, "changed=n new=n gone=gone all ");
               return KubeAnswer{.status = 200};
             }});
  Run();
  EXPECT_EQ(objects_.size(), 3U);
}

TEST_F(ReflectorTest, FallsBackToPagesAndPutsThemTogether) {
  request_.ns = "team";
  request_.label_selector = "a=b";
  request_.field_selector = "spec.nodeName=n";
  request_.options.page_size = 2;
  OnWatches({[](const WatchRequest&, const WatchSink&) -> Result<KubeAnswer> {
               return KubeAnswer{.status = 422, .body = {{"message", "sendInitialEvents"}}};
             },
             [](const WatchRequest& request, const WatchSink& sink) -> Result<KubeAnswer> {
               EXPECT_EQ(ParameterOf(request.query, "sendInitialEvents"), "");
               EXPECT_EQ(ParameterOf(request.query, "resourceVersion"), "10");
               EXPECT_EQ(ParameterOf(request.query, "fieldSelector"), "spec.nodeName=n");
               request.on_open();
               std::ignore = sink(WatchEventType::kBookmark, BookmarkAt(11, false));
               return KubeAnswer{.status = 200};
             }});
  api_.on_send = [](const KubeRequest& request) -> Result<KubeAnswer> {
    EXPECT_EQ(request.path, "/api/v1/namespaces/team/pods");
    EXPECT_EQ(ParameterOf(request.query, "labelSelector"), "a=b");
    EXPECT_EQ(ParameterOf(request.query, "limit"), "2");
    if (ParameterOf(request.query, "continue") == "more") {
      return KubeAnswer{.status = 200, .body = PageOf({Pod("c", 3, "n")}, 10)};
    }
    return KubeAnswer{.status = 200,
                      .body = PageOf({Pod("a", 1, "n"), Pod("b", 2, "n")}, 10, "more")};
  };
  Run();
  EXPECT_EQ(objects_.size(), 3U);
  EXPECT_EQ(told_, "a=n b=n c=n watching all ");
}

TEST_F(ReflectorTest, PassesOverObjectsThatHaveNoNameOrVersion) {
  request_.options.streaming = false;
  OnWatches({[](const WatchRequest&, const WatchSink& sink) -> Result<KubeAnswer> {
    for (const auto* text : {R"({})", R"({"metadata":[]})", R"({"metadata":{"name":7}})",
                             R"({"metadata":{"name":"x","resourceVersion":5}})"}) {
      EXPECT_TRUE(sink(WatchEventType::kAdded, json::parse(text).as_object()));
      EXPECT_TRUE(sink(WatchEventType::kDeleted, json::parse(text).as_object()));
      EXPECT_TRUE(sink(WatchEventType::kBookmark, json::parse(text).as_object()));
    }
    return KubeAnswer{.status = 200};
  }});
  api_.on_send = [](const KubeRequest&) -> Result<KubeAnswer> {
    return KubeAnswer{
        .status = 200,
        .body = PageOf({json::value(nullptr), 7, json::object(), Pod("a", 1, "n")}, 10)};
  };
  Run();
  EXPECT_EQ(objects_.size(), 1U);
  EXPECT_EQ(counters_.refused_objects, 9U);
}

TEST_F(ReflectorTest, SaysWhyAnAnswerThatIsNoListIsNone) {
  request_.options.streaming = false;
  int answers = 0;
  api_.on_send = [&](const KubeRequest&) -> Result<KubeAnswer> {
    if (++answers == 2) {
      EXPECT_EQ(reflector_->trouble(), "the answer is not a list");
      EXPECT_EQ(reflector_->state(), ReflectorState::kFailing);
      group_.Stop();
    }
    return KubeAnswer{.status = 200, .body = json::array{}};
  };
  Run();
  EXPECT_EQ(answers, 2);
}

}  // namespace
}  // namespace prewarm::controller::kube
