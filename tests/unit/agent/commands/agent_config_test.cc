#include "agent/agent_config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "common/process/config_file.h"
#include "tests/rig/source_dir.h"

namespace prewarm::agent {
namespace {

TEST(AgentConfig, SampleShowsEveryKeyAtItsDefault) {
  AgentConfig config;
  std::ifstream file(rig::SourceDir() / "config/agent.yaml");
  std::ostringstream sample;
  sample << file.rdbuf();
  EXPECT_EQ(sample.str(), PrintConfig(AgentConfigSchema(config)))
      << "renew it: prewarm-agent --print-config > config/agent.yaml";
}

}  // namespace
}  // namespace prewarm::agent
