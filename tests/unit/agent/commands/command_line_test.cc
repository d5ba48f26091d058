#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "agent/commands/options.h"
#include "common/process/progress_line.h"

namespace prewarm::agent {
namespace {

using testing::HasSubstr;

Result<CommandLine> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "prewarm-agent");
  return ParseCommandLine(static_cast<int>(words.size()), words.data());
}

std::string ErrorOf(std::vector<const char*> words) {
  const auto line = Parse(std::move(words));
  if (line) return "no error";
  EXPECT_EQ(line.error().code, ErrorCode::kInvalidArgument);
  return line.error().message;
}

TEST(CommandLine, TakesJuiceFsUnits) {
  const auto line =
      Parse({"warm", "--meta", "redis://h/1", "--cache-dir", "/a:/b/", "--cache-size", "1024",
             "--download-limit", "800", "--cache-mode", "0644", "m/x", "m/y"});
  ASSERT_TRUE(line) << line.error().message;
  const auto& volume = line->warm->volume;
  EXPECT_EQ(volume.cache.dirs, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(volume.cache.size, 1ULL << 30);
  EXPECT_EQ(volume.cache.mode, 0644U);
  EXPECT_EQ(volume.paths, (std::vector<std::string>{"m/x", "m/y"}));
  EXPECT_EQ(line->warm->engine.fetch.bytes_per_second, 100'000'000U);
  EXPECT_FALSE(line->warm->honour_volume_limit);
}

TEST(CommandLine, SaysWhatIsMissing) {
  const auto text = ErrorOf({"warm"});
  EXPECT_THAT(text, HasSubstr("--meta is missing"));
  EXPECT_THAT(text, HasSubstr("--cache-dir is missing"));
}

TEST(CommandLine, CollectsAllProblems) {
  const auto text = ErrorOf({"warm", "--meta", "redis://h/1", "--cache-dir", "/a", "--cache-size",
                             "0", "--buffer-size", "12parsec", "--max-downloads", "-3"});
  EXPECT_THAT(text, HasSubstr("--cache-size"));
  EXPECT_THAT(text, HasSubstr("12parsec"));
  EXPECT_THAT(text, HasSubstr("--max-downloads"));
}

TEST(CommandLine, SuggestsTheNearestWord) {
  EXPECT_THAT(ErrorOf({"warm", "--cache-dirr", "/a"}), HasSubstr("did you mean --cache-dir?"));
  EXPECT_THAT(ErrorOf({"wram"}), HasSubstr("did you mean warm?"));
  EXPECT_THAT(ErrorOf({"verify", "--against-stor"}), HasSubstr("did you mean --against-store?"));
}

TEST(CommandLine, RefusesMemoryAsCacheDirectory) {
  EXPECT_THAT(ErrorOf({"warm", "--meta", "redis://h/1", "--cache-dir", "memory"}),
              HasSubstr("memory"));
}

TEST(CommandLine, LetsAMountStandForTheRest) {
  const auto line = Parse({"warm", "--mount", "/mnt/jfs", "models"});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->warm->volume.mount, "/mnt/jfs");
  EXPECT_TRUE(Parse({"verify", "--mount", "/mnt/jfs", "--min-free", "0"}));
  EXPECT_THAT(ErrorOf({"warm", "--mount", "/mnt/jfs", "--cache-dir", "/a"}),
              HasSubstr("--cache-dir"));
}

TEST(CommandLine, OptionsOverrideTheConfigurationFile) {
  const auto path = std::filesystem::path(testing::TempDir()) / "command_line_test.yaml";
  std::ofstream(path) << "cache:\n  cache-dir: /from-file\n  cache-size: 5GiB\n"
                         "fetch:\n  max-downloads: 7\n  download-limit: 80\n";
  const auto line = Parse({"warm", "--config", path.c_str(), "--meta", "redis://h/1",
                           "--cache-size", "6GiB", "--require-checksum"});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->warm->volume.cache.dirs, std::vector<std::string>{"/from-file"});
  EXPECT_EQ(line->warm->volume.cache.size, 6ULL << 30);
  EXPECT_EQ(line->warm->engine.max_requests, 7U);
  EXPECT_EQ(line->warm->engine.fetch.bytes_per_second, 10'000'000U);
  EXPECT_TRUE(line->warm->engine.fetch.require_checksum);
  EXPECT_FALSE(line->warm->honour_volume_limit);
  std::filesystem::remove(path);
}

TEST(CommandLine, ChecksAndPrintsTheConfiguration) {
  EXPECT_THAT(Parse({"--check-config"})->answer, HasSubstr("right"));
  EXPECT_THAT(Parse({"warm", "--max-downloads", "9", "--print-config"})->answer,
              HasSubstr("max-downloads: 9\n"));
  const auto wrong = Parse({"--check-config", "--config", "/nowhere/agent.yaml"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(wrong.error().message, HasSubstr("/nowhere/agent.yaml"));
}

TEST(CommandLine, ServesIfNothingElseIsAskedFor) {
  const auto path = std::filesystem::path(testing::TempDir()) / "serve_test.yaml";
  std::ofstream(path) << "controller: {addresses: [\"127.0.0.1:9480\"], insecure-loopback: true}\n"
                         "node: {labels: {pool: gpu}}\n";
  const auto plain = Parse({"--config", path.c_str()});
  ASSERT_TRUE(plain) << plain.error().message;
  ASSERT_TRUE(plain->serve);
  EXPECT_EQ(plain->serve->config.controller.addresses, std::vector<std::string>{"127.0.0.1:9480"});
  const auto line = Parse({"serve", "--config", path.c_str(), "--labels", "pool=cpu,zone=b"});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->serve->config.node.labels,
            (std::map<std::string, std::string>{{"pool", "cpu"}, {"zone", "b"}}));
  std::ofstream(path) << "limits: {node-download: 80}\n";
  const auto again = line->serve->read_again();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->limits.download, 10'000'000U);
  EXPECT_EQ(again->node.labels.at("zone"), "b") << "options still override the file";
  std::filesystem::remove(path);
}

TEST(CommandLine, DialsWithoutTlsOnlyOnLoopbackAndOnlyWhenToldTo) {
  EXPECT_THAT(ErrorOf({"serve", "--addresses", "10.0.0.1:9480"}), HasSubstr("controller.ca"));
  EXPECT_THAT(ErrorOf({"serve", "--addresses", "10.0.0.1:9480", "--insecure-loopback"}),
              HasSubstr("not a loopback address"));
  EXPECT_THAT(ErrorOf({"serve", "--addresses", "controller", "--insecure-loopback"}),
              HasSubstr("not HOST:PORT"));
  EXPECT_THAT(ErrorOf({"serve", "--insecure-loopback", "--ca", "ca.pem"}),
              HasSubstr("leave one of them out"));
}

TEST(CommandLine, AnswersHelpAndVersion) {
  EXPECT_THAT(Parse({"--help"})->answer, HasSubstr("warm"));
  EXPECT_THAT(Parse({"warm", "--help"})->answer, HasSubstr("--dry-run"));
  EXPECT_THAT(Parse({"--version"})->answer, HasSubstr("prewarm-agent "));
}

TEST(ProgressLine, FitsTheTerminalAndShowsAllNumbers) {
  const ProgressState state{1ULL << 30, 2ULL << 30, 3, 512.0 * (1 << 20)};
  const auto wide = FormatProgress(state, 120);
  for (const char* part : {"50 %", "1.00 GiB of 2.00 GiB", "512 MiB/s", "ETA 2.0 s", "3 blocks"}) {
    EXPECT_THAT(wide, HasSubstr(part));
  }
  EXPECT_LE(wide.size(), 120U);
  EXPECT_LE(FormatProgress(state, 40).size(), 40U);
}

TEST(RateMeter, FollowsTheRate) {
  RateMeter meter;
  SteadyTime now{std::chrono::seconds(1)};
  double rate = meter.Update(0, now);
  for (int i = 1; i <= 100; ++i) {
    now += std::chrono::milliseconds(100);
    rate = meter.Update(static_cast<std::uint64_t>(i) * 10'000'000, now);
  }
  EXPECT_NEAR(rate, 100e6, 1e6);
}

}  // namespace
}  // namespace prewarm::agent
