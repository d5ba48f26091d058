#include "controller/controller_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "common/process/config_file.h"
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
