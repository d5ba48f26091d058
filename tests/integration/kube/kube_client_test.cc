// The client, the reflector, leases and events against a real API server.
#include "controller/kube/kube_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <functional>
#include <memory>

#include "controller/kube/discovery.h"
#include "controller/kube/events.h"
#include "controller/kube/json_access.h"
#include "controller/kube/lease.h"
#include "controller/kube/objects.h"
#include "controller/kube/reflector.h"
#include "tests/rig/environment.h"
#include "tests/rig/kube_cluster.h"
#include "tests/rig/run_task.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

const Resource kConfigMaps{"", "v1", "configmaps"};
const Resource kNamespaces{"", "v1", "namespaces"};
const Resource kWidgets{"prewarm.test", "v1", "widgets"};

json::object ConfigMap(const std::string& name, const std::string& value) {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", name}}},
          {"data", {{"value", value}}}};
}

std::string VersionOf(const json::object& object) {
  return std::string(object.at("metadata").at("resourceVersion").as_string());
}

// One cluster for all tests; each test has a namespace of its own.
class KubeTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster = std::make_unique<rig::KubeCluster>(
        std::vector<std::string>{"--etcd-compaction-interval=2s"});
  }
  static void TearDownTestSuite() { cluster.reset(); }

  void SetUp() override {
    client_ = MakeClient(AdminConfig());
    const auto made = Run(CreateObject(
        *client_, kNamespaces, "",
        {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"generateName", "test-"}}}}));
    ASSERT_TRUE(made) << made.error().message;
    ns_ = std::string(made->at("metadata").at("name").as_string());
  }
  ~KubeTest() override {
    tasks_.Stop();
    loop_.restart();
    loop_.run();
    pool_.join();
  }

  static KubeConfig AdminConfig() {
    auto config = LoadKubeconfig(cluster->Kubeconfig(), "");
    EXPECT_TRUE(config) << config.error().message;
    return *std::move(config);
  }
  std::unique_ptr<KubeClient> MakeClient(const KubeConfig& config) {
    auto client = KubeClient::Make(loop_.get_executor(), pool_, clock_, config);
    EXPECT_TRUE(client) << client.error().message;
    return *std::move(client);
  }
  template <class T>
  T Run(Task<T> task) {
    std::optional<T> result;
    tasks_.Spawn("test", rig::KeepResult(std::move(task), result));
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }, minutes(2)));
    return *std::move(result);
  }
  bool RunUntil(const std::function<bool()>& done, Duration limit = seconds(60)) {
    for (const auto end = clock_.Now() + limit; !done() && clock_.Now() < end;) {
      loop_.restart();
      loop_.run_one_for(milliseconds(50));
    }
    return done();
  }
  Result<json::object> Create(const std::string& name, const std::string& value) {
    return Run(CreateObject(*client_, kConfigMaps, ns_, ConfigMap(name, value)));
  }

  // A token of a new service account, which has no rights.
  std::string TokenOf(const std::string& account) {
    const Resource accounts{"", "v1", "serviceaccounts"};
    EXPECT_TRUE(Run(CreateObject(
        *client_, accounts, ns_,
        {{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", account}}}})));
    KubeRequest ask{.method = Method::kPost};
    ask.path = *ObjectPath(accounts, {ns_, account}, "token");
    ask.body = json::object{{"apiVersion", "authentication.k8s.io/v1"},
                            {"kind", "TokenRequest"},
                            {"spec", {{"expirationSeconds", 3600}}}};
    const auto token = Run(client_->Send(ask));
    EXPECT_TRUE(token && token->ok());
    return std::string(token->body.at("status").at("token").as_string());
  }

  using Values = Reflector<std::string>;
  ReflectorRequest OfConfigMaps(bool streaming) {
    ReflectorRequest request{.resource = kConfigMaps, .ns = ns_};
    request.options.streaming = streaming;
    return request;
  }
  // The value of each ConfigMap; those without one are not of interest.
  std::unique_ptr<Values> Reflect(KubeApi& api, ReflectorRequest request,
                                  ReflectorHooks hooks = {}) {
    auto reflector = std::make_unique<Values>(
        api, clock_, std::move(request),
        [](const json::object& object) -> std::optional<std::string> {
          const auto* data = ObjectIn(object, "data");
          if (data == nullptr || !data->contains("value")) return std::nullopt;
          return std::string(TextIn(*data, "value"));
        },
        std::move(hooks), 1);
    tasks_.Spawn("reflector", reflector->Run());
    return reflector;
  }

  static std::unique_ptr<rig::KubeCluster> cluster;
  boost::asio::io_context loop_;
  boost::asio::thread_pool pool_{1};
  SystemClock clock_;
  TaskGroup tasks_{loop_.get_executor()};
  std::unique_ptr<KubeClient> client_;
  std::string ns_;
};

std::unique_ptr<rig::KubeCluster> KubeTest::cluster;

TEST_F(KubeTest, ReadsWritesAndDeletesObjects) {
  const auto created = Create("one", "1");
  ASSERT_TRUE(created) << created.error().message;
  const auto again = Create("one", "1");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_THAT(again.error().message, HasSubstr("already exists"));

  auto changed = *created;
  changed["data"] = json::object{{"value", "2"}};
  const auto replaced = Run(ReplaceObject(*client_, kConfigMaps, {ns_, "one"}, changed));
  ASSERT_TRUE(replaced) << replaced.error().message;
  const auto stale = Run(ReplaceObject(*client_, kConfigMaps, {ns_, "one"}, changed));
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, ErrorCode::kConflict);

  const auto patched = Run(PatchObject(*client_, kConfigMaps, {ns_, "one"},
                                       {{"data", {{"value", nullptr}, {"more", "3"}}}}));
  ASSERT_TRUE(patched) << patched.error().message;
  const auto read = Run(GetObject(*client_, kConfigMaps, {ns_, "one"}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(json::serialize(read->at("data")), R"({"more":"3"})");

  const auto other = Run(DeleteObject(*client_, kConfigMaps, {ns_, "one"}, {.uid = "another"}));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kConflict);
  const std::string uid(read->at("metadata").at("uid").as_string());
  EXPECT_TRUE(Run(DeleteObject(*client_, kConfigMaps, {ns_, "one"}, {.uid = uid})));
  const auto gone = Run(DeleteObject(*client_, kConfigMaps, {ns_, "one"}, {}));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
}

TEST_F(KubeTest, AppliesTheSameAgainWithoutAChange) {
  const ApplyOptions ours{.field_manager = "prewarm"};
  const auto first =
      Run(ApplyObject(*client_, kConfigMaps, {ns_, "one"}, ConfigMap("one", "1"), ours));
  ASSERT_TRUE(first) << first.error().message;
  const auto second =
      Run(ApplyObject(*client_, kConfigMaps, {ns_, "one"}, ConfigMap("one", "1"), ours));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(VersionOf(*first), VersionOf(*second));
  const auto conflict = Run(ApplyObject(*client_, kConfigMaps, {ns_, "one"}, ConfigMap("one", "2"),
                                        {.field_manager = "somebody-else", .force = false}));
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, ErrorCode::kConflict);
  EXPECT_THAT(conflict.error().message, HasSubstr("prewarm"));
}

TEST_F(KubeTest, PutsNamesWithOddCharactersIntoPaths) {
  const Resource roles{"rbac.authorization.k8s.io", "v1", "clusterroles"};
  const ObjectKey key{"", "prewarm:odd name+" + ns_};
  const auto made = Run(CreateObject(*client_, roles, "",
                                     {{"apiVersion", "rbac.authorization.k8s.io/v1"},
                                      {"kind", "ClusterRole"},
                                      {"metadata", {{"name", key.name}}}}));
  ASSERT_TRUE(made) << made.error().message;
  const auto read = Run(GetObject(*client_, roles, key));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(Run(DeleteObject(*client_, roles, key, {})));
}

// Writes many objects at once, as one client with its eight connections.
class ManyConfigMaps : public KubeTest {
 protected:
  static constexpr int kMany = 2'000;
  static Task<void> CreateOne(KubeApi& api, std::string ns, int number, int& made) {
    const auto name = "map-" + std::to_string(number);
    const auto created =
        co_await CreateObject(api, kConfigMaps, ns, ConfigMap(name, std::to_string(number)));
    EXPECT_TRUE(created) << created.error().message;
    ++made;
  }
  void CreateMany() {
    int made = 0;
    for (int begin = 0; begin < kMany; begin += 100) {
      for (int n = begin; n < begin + 100; ++n) {
        tasks_.Spawn("create", CreateOne(*client_, ns_, n, made));
      }
      ASSERT_TRUE(RunUntil([&] { return made == begin + 100; }));
    }
  }
};

TEST_F(ManyConfigMaps, AreListedByPagesAndAsAStreamAndThenFollowed) {
  CreateMany();
  std::size_t listed = 0;
  const auto version =
      Run(ListObjects(*client_, {.resource = kConfigMaps, .ns = ns_, .page_size = 300},
                      [&listed](const json::object&) { ++listed; }));
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(listed, kMany);

  std::vector<ObjectKey> changed;
  int looks = 0;
  const auto paged = Reflect(*client_, OfConfigMaps(false),
                             {.changed = [&](const auto& key) { changed.push_back(key); },
                              .look_at_all = [&] { ++looks; }});
  const auto streamed = Reflect(*client_, OfConfigMaps(true));
  ASSERT_TRUE(RunUntil([&] { return paged->synced() && streamed->synced(); }));
  EXPECT_EQ(paged->objects().size(), kMany);
  EXPECT_TRUE(paged->objects() == streamed->objects());
  EXPECT_EQ(changed.size(), kMany);
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(paged->counters().pages, 4U);
  EXPECT_EQ(streamed->counters().pages, 0U) << "this server streams lists";
  EXPECT_EQ(streamed->counters().lists, 1U);

  changed.clear();
  ASSERT_TRUE(
      Run(PatchObject(*client_, kConfigMaps, {ns_, "map-7"}, {{"data", {{"value", "seven"}}}})));
  ASSERT_TRUE(Run(DeleteObject(*client_, kConfigMaps, {ns_, "map-8"}, {})));
  ASSERT_TRUE(Create("fresh", "new"));
  // No longer of interest.
  ASSERT_TRUE(
      Run(PatchObject(*client_, kConfigMaps, {ns_, "map-9"}, {{"data", {{"value", nullptr}}}})));
  const std::vector<ObjectKey> expected{
      {ns_, "map-7"}, {ns_, "map-8"}, {ns_, "fresh"}, {ns_, "map-9"}};
  // Both hear of the changes in the order in which they were made.
  ASSERT_TRUE(
      RunUntil([&] { return changed.size() >= 4 && streamed->Find({ns_, "map-9"}) == nullptr; }));
  EXPECT_EQ(changed, expected);
  EXPECT_EQ(*paged->Find({ns_, "map-7"}), "seven");
  EXPECT_EQ(paged->Find({ns_, "map-8"}), nullptr);
  EXPECT_EQ(paged->Find({ns_, "map-9"}), nullptr);
  EXPECT_EQ(*paged->Find({ns_, "fresh"}), "new");
  EXPECT_TRUE(paged->objects() == streamed->objects());
}

TEST_F(KubeTest, ReflectsMetadataAlone) {
  ASSERT_TRUE(Create("one", "1"));
  for (const bool streaming : {true, false}) {
    auto request = OfConfigMaps(streaming);
    request.metadata_only = true;
    bool saw_data = false;
    Reflector<std::string> reflector(
        *client_, clock_, request,
        [&saw_data](const json::object& object) -> std::optional<std::string> {
          saw_data = saw_data || object.contains("data");
          return std::string(TextIn(*ObjectIn(object, "metadata"), "uid"));
        },
        {}, 1);
    TaskGroup group(loop_.get_executor());
    group.Spawn("reflector", reflector.Run());
    EXPECT_TRUE(RunUntil([&] { return reflector.synced(); }));
    EXPECT_NE(reflector.Find({ns_, "one"}), nullptr);
    EXPECT_FALSE(saw_data);
    group.Stop();
    EXPECT_TRUE(RunUntil([&] { return group.running() == 0; }));
  }
}

TEST_F(KubeTest, GoesOnAfterTheApiServerWasRestarted) {
  ASSERT_TRUE(Create("before", "1"));
  std::vector<ReflectorState> states;
  const auto reflector =
      Reflect(*client_, OfConfigMaps(true),
              {.state_changed = [&](ReflectorState state) { states.push_back(state); }});
  ASSERT_TRUE(RunUntil([&] { return reflector->synced(); }));
  cluster->StopApiServer();
  ASSERT_TRUE(RunUntil([&] { return reflector->state() == ReflectorState::kFailing; }));
  EXPECT_TRUE(reflector->synced());
  EXPECT_NE(reflector->Find({ns_, "before"}), nullptr);
  EXPECT_THAT(reflector->trouble(), HasSubstr("127.0.0.1"));
  cluster->StartApiServer();
  // By somebody else, so that nothing but the watch can tell.
  cluster->Kubectl({"-n", ns_, "create", "configmap", "after", "--from-literal=value=2"});
  ASSERT_TRUE(RunUntil([&] { return reflector->Find({ns_, "after"}) != nullptr; }));
  EXPECT_EQ(reflector->state(), ReflectorState::kWatching);
  EXPECT_LE(reflector->counters().lists, 2U);
  EXPECT_EQ(states, (std::vector{ReflectorState::kWatching, ReflectorState::kFailing,
                                 ReflectorState::kWatching}));
}

TEST_F(KubeTest, ListsAgainWhereThePastWasCompacted) {
  for (int n = 0; n < 5; ++n) ASSERT_TRUE(Create("map-" + std::to_string(n), "1"));
  const auto first =
      Run(client_->Send({.path = *CollectionPath(kConfigMaps, ns_), .query = {{"limit", "1"}}}));
  ASSERT_TRUE(first);
  const auto& metadata = first->body.at("metadata").as_object();
  const std::string version(TextIn(metadata, "resourceVersion"));
  const std::string token(TextIn(metadata, "continue"));
  // The real thing in both forms, as soon as etcd has forgotten: a page and a watch.
  Result<KubeAnswer> page = KubeAnswer();
  ASSERT_TRUE(rig::WaitFor(
      [&] {
        cluster->Kubectl({"-n", ns_, "annotate", "--overwrite", "configmap", "map-0",
                          "at=" + std::to_string(clock_.Now().time_since_epoch().count())});
        page = Run(client_->Send({.path = *CollectionPath(kConfigMaps, ns_),
                                  .query = {{"limit", "1"}, {"continue", token}}}));
        return page && page->status == 410;
      },
      seconds(60)));
  cluster->StopApiServer();  // whose memory of the past is its own
  cluster->StartApiServer();
  std::optional<std::int64_t> code;
  const auto watch = Run(client_->Watch(
      {.path = *CollectionPath(kConfigMaps, ns_), .query = {{"resourceVersion", version}}},
      [&code](WatchEventType type, const json::object& object) -> Status {
        if (type == WatchEventType::kError) code = object.at("code").as_int64();
        return Fail(ErrorCode::kConflict, "seen");
      }));
  EXPECT_TRUE(code == 410 || (watch && watch->status == 410));
}

TEST_F(KubeTest, TakesAMissingResourceForEmptyUntilItIsDefined) {
  auto request = ReflectorRequest{.resource = kWidgets};
  request.options.slow_pause = milliseconds(200);
  const auto reflector = Reflect(*client_, request);
  Discovery discovery(*client_, clock_, milliseconds(0));
  ASSERT_TRUE(RunUntil([&] { return reflector->state() == ReflectorState::kMissing; }));
  EXPECT_TRUE(reflector->synced());
  const auto before = Run(discovery.Served(kWidgets));
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_FALSE(*before);

  const auto defined = cluster->Apply(
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.prewarm.test",
      R"({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
          "metadata": {"name": "widgets.prewarm.test"},
          "spec": {"group": "prewarm.test", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema":
              {"openAPIV3Schema": {"type": "object",
                "x-kubernetes-preserve-unknown-fields": true}}}]}})");
  ASSERT_EQ(defined.status, 201) << defined.body;
  ASSERT_TRUE(RunUntil([&] { return reflector->state() == ReflectorState::kWatching; }));
  const auto after = Run(discovery.Served(kWidgets));
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_TRUE(*after);
  const auto made = Run(CreateObject(*client_, kWidgets, ns_,
                                     {{"apiVersion", "prewarm.test/v1"},
                                      {"kind", "Widget"},
                                      {"metadata", {{"name", "w"}}},
                                      {"data", {{"value", "here"}}}}));
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(RunUntil([&] { return reflector->Find({ns_, "w"}) != nullptr; }));

  const Resource definitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions"};
  ASSERT_TRUE(Run(DeleteObject(*client_, definitions, {"", "widgets.prewarm.test"}, {})));
  ASSERT_TRUE(RunUntil([&] { return reflector->state() == ReflectorState::kMissing; }));
  EXPECT_TRUE(reflector->objects().empty());
}

TEST_F(KubeTest, SaysThatItMayNotLook) {
  auto config = AdminConfig();
  config.token = Secret(TokenOf("nobody"));
  config.token_file.clear();
  const auto nobody = MakeClient(config);
  const auto reflector = Reflect(*nobody, OfConfigMaps(true));
  ASSERT_TRUE(RunUntil([&] { return reflector->state() == ReflectorState::kForbidden; }));
  EXPECT_FALSE(reflector->synced());
  EXPECT_THAT(reflector->trouble(), HasSubstr("system:serviceaccount:" + ns_ + ":nobody"));
}

// As a pod is given them: a real token of a service account, which is replaced.
TEST_F(KubeTest, WorksInAPodWithATokenThatIsReplaced) {
  const rig::TempDir folder;
  const auto write_token = [&](const std::string& token) {
    std::ofstream(folder / "token.new") << token;
    std::filesystem::rename(folder / "token.new", folder / "token");
  };
  std::filesystem::copy(cluster->ca_file(), folder / "ca.crt");
  std::ofstream(folder / "namespace") << ns_;
  write_token("expired");
  const auto config =
      InClusterConfig(rig::With({{"KUBERNETES_SERVICE_HOST", "127.0.0.1"},
                                 {"KUBERNETES_SERVICE_PORT", std::to_string(cluster->port())}}),
                      folder.path().string());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->ns, ns_);
  const auto client = MakeClient(*config);
  const auto refused = Run(client->Send({.path = "/api/v1/nodes"}));
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_EQ(refused->status, 401U);

  write_token(TokenOf("pod"));
  const auto known = Run(client->Send({.path = "/api/v1/nodes"}));
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_EQ(known->status, 403U) << "known now, and without rights";
  EXPECT_THAT(MessageOf(known->body), HasSubstr("system:serviceaccount:" + ns_ + ":pod"));
}

TEST_F(KubeTest, DoesNotTalkToAServerThatItCannotTrust) {
  auto config = AdminConfig();
  config.ca_file = "";
  config.ca_pem = "";
  const auto client = MakeClient(config);
  const auto answer = Run(client->Send({.path = "/version"}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kPermission);
  auto other_name = AdminConfig();
  other_name.tls_server_name = "elsewhere.example.com";
  const auto misled = Run(MakeClient(other_name)->Send({.path = "/version"}));
  ASSERT_FALSE(misled);
  EXPECT_EQ(misled.error().code, ErrorCode::kPermission);
}

TEST_F(KubeTest, WritesEventsOnceAndCountsTheirRepetitions) {
  EventSeries::Limits limits;
  limits.between_counts = milliseconds(100);
  EventRecorder recorder(loop_.get_executor(), *client_, clock_, "controller-0", 1, limits);
  tasks_.Spawn("events", recorder.Run());
  const Event event{.about = {.api_version = "v1",
                              .kind = "ConfigMap",
                              .key = {ns_, "one"},
                              .uid = "11111111-2222-3333-4444-555555555555"},
                    .warning = true,
                    .reason = "UnresolvedModel",
                    .action = "Plan",
                    .note = std::string(2000, 'n')};
  recorder.Record(event);
  ASSERT_TRUE(RunUntil([&] { return recorder.counters().written == 1; }));
  for (int n = 0; n < 6; ++n) recorder.Record(event);
  ASSERT_TRUE(RunUntil([&] { return recorder.counters().written == 2; }));
  EXPECT_EQ(recorder.counters().failed, 0U);
  std::vector<json::object> seen;
  ASSERT_TRUE(Run(ListObjects(*client_, {.resource = {"events.k8s.io", "v1", "events"}, .ns = ns_},
                              [&seen](const json::object& object) { seen.push_back(object); })));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].at("reason").as_string(), "UnresolvedModel");
  EXPECT_EQ(seen[0].at("series").at("count").as_int64(), 7);
  EXPECT_THAT(cluster->Kubectl({"-n", ns_, "get", "events"}), HasSubstr("configmap/one"));
}

TEST_F(KubeTest, GivesTheLeaseToOneHolderAtATime) {
  const auto options = [this](const std::string& holder) {
    return KubeLease::Options{.key = {ns_, "leader"}, .holder = holder, .patience = seconds(1)};
  };
  KubeLease one(*client_, clock_, options("one"));
  KubeLease two(*client_, clock_, options("two"));
  const auto first = Run(one.TryAcquire(41));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*first, 42U);
  // Renewed again and again, it is not taken over however long that lasts.
  for (const auto end = clock_.Now() + seconds(3); clock_.Now() < end;) {
    const auto refused = Run(two.TryAcquire(0));
    ASSERT_TRUE(refused) << refused.error().message;
    EXPECT_EQ(*refused, std::nullopt);
    EXPECT_EQ(two.seen_holder(), "one");
    const auto renewed = Run(one.Renew());
    ASSERT_TRUE(renewed) << renewed.error().message;
  }
  // Given up, it is taken at once.
  ASSERT_TRUE(Run(one.Release()));
  EXPECT_EQ(*Run(two.TryAcquire(0)), 43U);
  const auto lost = Run(one.Renew());
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kConflict);
  // Silent, it is taken over after the patience.
  const auto begin = clock_.Now();
  std::optional<std::uint64_t> taken;
  while (!taken && clock_.Now() - begin < seconds(30)) taken = *Run(one.TryAcquire(0));
  EXPECT_EQ(taken, 44U);
  EXPECT_GE(clock_.Now() - begin, seconds(1));
  const auto stolen = Run(two.Renew());
  ASSERT_FALSE(stolen);
  EXPECT_EQ(stolen.error().code, ErrorCode::kConflict);
  EXPECT_THAT(stolen.error().message, HasSubstr("\"one\""));
}

}  // namespace
}  // namespace prewarm::controller::kube
