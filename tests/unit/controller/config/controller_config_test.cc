#include "controller/controller_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <sstream>
#include <string_view>

#include "common/process/config_file.h"
#include "controller/workload_kinds.h"
#include "tests/rig/source_dir.h"

namespace prewarm::controller {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string ProblemsOf(const ControllerConfig& config) {
  Problems problems;
  ValidateControllerConfig(config, problems);
  const auto status = problems.ToStatus(ErrorCode::kInvalidConfig);
  return status ? "" : status.error().message;
}

ControllerConfig OnLoopback() {
  ControllerConfig config;
  config.insecure_loopback = true;
  config.tokens_file = "/etc/prewarm/tokens";
  return config;
}

TEST(ControllerConfig, SampleShowsEveryKeyAtItsDefault) {
  ControllerConfig config;
  std::ifstream file(rig::SourceDir() / "config/controller.yaml");
  std::ostringstream sample;
  sample << file.rdbuf();
  EXPECT_EQ(sample.str(), PrintConfig(ControllerConfigSchema(config)))
      << "renew it: prewarm-controller --print-config > config/controller.yaml";
}

TEST(ControllerConfig, ReadsVolumesByName) {
  ControllerConfig config;
  Problems problems;
  ReadConfigText(ControllerConfigSchema(config),
                 "volumes:\n  models: {meta-file: /run/meta, cache-dir: [/nvme], namespaces: [a]}\n"
                 "  other: {meta: 'redis://h/1', credentials: handed-over}\n",
                 "controller.yaml", problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(config.volumes.at("models").meta_file, "/run/meta");
  EXPECT_EQ(config.volumes.at("models").cache_dirs, std::vector<std::string>{"/nvme"});
  EXPECT_EQ(config.volumes.at("other").credentials, "handed-over");
}

constexpr std::string_view kFunctions =
    "workloads:\n  functions:\n    group: serving.example.com\n    version: v1\n"
    "    resource: functions\n    kind: Function\n    bento: spec.code['bento/name']\n"
    "    components: spec.services\n    component-name: name\n    pod-spec: pod\n"
    "    min-replicas: scaling.least\n    max-replicas: scaling.most\n"
    "    pod-labels: {service: '{component}'}\n";

ControllerConfig WithKinds(std::string_view text, Problems& problems) {
  auto config = OnLoopback();
  config.kubernetes.enabled = true;
  ReadConfigText(ControllerConfigSchema(config), text, "controller.yaml", problems);
  ValidateControllerConfig(config, problems);
  return config;
}

std::string ProblemsOfKinds(std::string_view text) {
  Problems problems;
  WithKinds(text, problems);
  const auto status = problems.ToStatus(ErrorCode::kInvalidConfig);
  return status ? "" : status.error().message;
}

TEST(ControllerConfig, MapsKindsOfWorkloadThatAreNotBuiltIn) {
  Problems problems;
  auto config = WithKinds(kFunctions, problems);
  ASSERT_TRUE(problems.empty());
  const auto mappings = WorkloadMappings(config.workloads);
  ASSERT_EQ(mappings.size(), bento::BuiltInMappings().size() + 1);
  const auto object = boost::json::parse(R"({
      "metadata": {"name": "chat", "namespace": "team", "uid": "u"},
      "spec": {"code": {"bento/name": "chat--1"},
               "services": [{"name": "api", "scaling": {"least": 2, "most": 5},
                             "pod": {"nodeSelector": {"pool": "gpu"}}}]}})");
  const auto workload = bento::ReadWorkload(mappings.back(), object.as_object());
  ASSERT_TRUE(workload);
  EXPECT_EQ(workload->ref.Words(), "Function team/chat");
  EXPECT_EQ(workload->ref.api_version, "serving.example.com/v1");
  EXPECT_EQ(workload->bento, "chat--1");
  ASSERT_EQ(workload->components.size(), 1);
  const auto& component = workload->components.front();
  EXPECT_EQ(component.name, "api");
  EXPECT_EQ(component.min_replicas, 2);
  EXPECT_EQ(component.max_replicas, 5);
  EXPECT_EQ(component.pod_labels, (bento::TextMap{{"service", "api"}}));

  ControllerConfig printed;
  ReadConfigText(ControllerConfigSchema(printed), PrintConfig(ControllerConfigSchema(config)),
                 "printed.yaml", problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(printed.workloads, config.workloads);
}

TEST(ControllerConfig, PutsAKindInThePlaceOfTheBuiltInOne) {
  Problems problems;
  const auto config = WithKinds(
      "workloads:\n  bentos:\n    group: serving.yatai.ai\n    version: v3\n"
      "    resource: bentodeployments\n    kind: BentoDeployment\n    bento: spec.bento\n",
      problems);
  ASSERT_TRUE(problems.empty());
  const auto mappings = WorkloadMappings(config.workloads);
  ASSERT_EQ(mappings.size(), bento::BuiltInMappings().size());
  EXPECT_EQ(mappings.back().version, "v3");
}

TEST(ControllerConfig, RefusesKindsOfWorkloadThatCannotWork) {
  EXPECT_THAT(ProblemsOfKinds("workloads:\n  a:\n    bento: spec.[\n"),
              AllOf(HasSubstr("controller.yaml:3: workloads.a.bento"), HasSubstr("is not a path"),
                    HasSubstr("workloads.a.kind is missing")));
  EXPECT_THAT(ProblemsOfKinds(std::string(kFunctions) +
                              "  other: {group: serving.example.com, version: v2, resource: "
                              "functions, kind: F, pod-spec: spec, component-name: name}\n"),
              AllOf(HasSubstr("workloads.other and workloads.functions are of the same resource"),
                    HasSubstr("workloads.other.component-name is only used with components")));
  EXPECT_THAT(ProblemsOfKinds("workloads:\n  a: {group: apps, version: v1, resource: deployments, "
                              "kind: Deployment}\n"),
              AllOf(HasSubstr("Deployments are read as they are"), HasSubstr("one of bento")));
}

TEST(ControllerConfig, ServesWithoutTlsOnlyOnLoopbackAndOnlyIfAskedTo) {
  EXPECT_EQ(ProblemsOf(OnLoopback()), "");
  auto config = OnLoopback();
  config.insecure_loopback = false;
  EXPECT_THAT(ProblemsOf(config), HasSubstr("insecure-loopback: true"));
  config = OnLoopback();
  config.http_listen = "0.0.0.0:9481";
  EXPECT_THAT(ProblemsOf(config), HasSubstr("0.0.0.0:9481 is not a loopback address"));
}

TEST(ControllerConfig, NeedsNoFileOfTokensWhereTheClusterHasThem) {
  auto config = OnLoopback();
  config.tokens_file.clear();
  EXPECT_THAT(ProblemsOf(config), HasSubstr("api.tokens is missing"));
  config.kubernetes.enabled = true;
  EXPECT_EQ(ProblemsOf(config), "");
}

TEST(ControllerConfig, NamesAServiceAccountWithOrWithoutItsNamespace) {
  auto config = OnLoopback();
  for (const char* good : {"prewarm-agent", "elsewhere/prewarm-agent"}) {
    config.kubernetes.agent_service_account = good;
    EXPECT_EQ(ProblemsOf(config), "") << good;
  }
  for (const char* bad : {"", "/agent", "elsewhere/", "a/b/c"}) {
    config.kubernetes.agent_service_account = bad;
    EXPECT_THAT(ProblemsOf(config), HasSubstr("kubernetes.agent-service-account")) << bad;
  }
}

TEST(ControllerConfig, TellsAllProblemsAtOnce) {
  ControllerConfig config;
  config.certificate_file = "/c.pem";
  config.volumes["a b"].meta = "redis://h/1";
  config.volumes["none"];
  config.volumes["secret"].meta = "redis://user:password@h/1";
  EXPECT_THAT(ProblemsOf(config),
              AllOf(HasSubstr("listen.certificate and listen.key"), HasSubstr("listen.client-ca"),
                    HasSubstr("api.tokens"), HasSubstr("volumes.a b: a name"),
                    HasSubstr("volumes.none: exactly one of"),
                    HasSubstr("volumes.secret.meta holds a password")));
}

}  // namespace
}  // namespace prewarm::controller
