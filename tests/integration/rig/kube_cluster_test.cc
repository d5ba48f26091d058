// The API server that other tests run against is a real one, and keeps what it was given.
#include "tests/rig/kube_cluster.h"

#include <gmock/gmock.h>

namespace prewarm::rig {
namespace {

using testing::HasSubstr;

constexpr auto kConfigMap = "/api/v1/namespaces/default/configmaps/kept";

TEST(KubeCluster, KeepsObjectsWhileTheServerIsStoppedAndStarted) {
  KubeCluster cluster;
  EXPECT_THAT(cluster.Call("GET", "/version").body, HasSubstr("v1.34."));
  const auto made = cluster.Apply(
      kConfigMap, R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"},
                      "data": {"said": "before"}})");
  EXPECT_EQ(made.status, 201) << made.body;
  const auto wrong = cluster.Apply(
      kConfigMap, R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"},
                      "date": {"said": "before"}})");
  EXPECT_THAT(wrong.body, HasSubstr(".date: field not declared in schema"));

  cluster.StopApiServer();
  EXPECT_EQ(cluster.Call("GET", kConfigMap).status, 0);
  cluster.StartApiServer();
  EXPECT_THAT(cluster.Call("GET", kConfigMap).body, HasSubstr("\"said\": \"before\""));
  EXPECT_THAT(cluster.Kubectl({"get", "configmap", "kept", "--output", "jsonpath={.data.said}"}),
              testing::Eq("before"));
}

}  // namespace
}  // namespace prewarm::rig
