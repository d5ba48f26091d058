#include "controller/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "controller/cli/document.h"
#include "controller/cli/outcome.h"
#include "tests/rig/child_process.h"
#include "tests/rig/environment.h"
#include "tests/rig/source_dir.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::ctl {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

Result<CommandLine> Parse(std::vector<const char*> words, rig::Variables variables = {}) {
  words.insert(words.begin(), "prewarmctl");
  return ParseCommandLine(static_cast<int>(words.size()), words.data(),
                          rig::With(std::move(variables)), kNow);
}

std::string Problem(std::vector<const char*> words, rig::Variables variables = {}) {
  const auto line = Parse(std::move(words), std::move(variables));
  return line ? "" : line.error().message;
}

TEST(CommandLine, UnderstandsAWholeWarm) {
  const auto line = Parse({"warm",
                           "models:a/b",
                           "models:c",
                           "--nodes",
                           "gpu=h100,zone=a",
                           "--count",
                           "2",
                           "--priority",
                           "7",
                           "--deadline",
                           "10m",
                           "--refuse-if-late",
                           "--keep",
                           "--model",
                           "m",
                           "--idempotency-key",
                           "k",
                           "--wait",
                           "-o",
                           "json",
                           "--server",
                           "host:1"});
  ASSERT_TRUE(line) << line.error().message;
  const auto& warm = std::get<WarmCommand>(line->command);
  const auto& spec = warm.request.spec();
  EXPECT_EQ(spec.volume(), "models");
  EXPECT_THAT(spec.paths(), ElementsAre("a/b", "c"));
  EXPECT_EQ(spec.nodes().labels().at("gpu"), "h100");
  EXPECT_EQ(spec.nodes().labels().size(), 2U);
  EXPECT_EQ(spec.nodes().count(), 2U);
  EXPECT_EQ(spec.priority(), 7);
  EXPECT_EQ(spec.deadline().seconds(), 1'800'000'600);
  EXPECT_TRUE(spec.refuse_if_late() && spec.keep() && warm.wait && !warm.dry_run);
  EXPECT_EQ(warm.request.idempotency_key(), "k");
  EXPECT_EQ(line->output, Output::kJson);
  EXPECT_EQ(line->config.server, "host:1");
}

TEST(CommandLine, TakesNamesOfNodesAndWholeVolumes) {
  const auto line = Parse({"warm", "models", "--nodes", "n1,n2"});
  ASSERT_TRUE(line);
  const auto& spec = std::get<WarmCommand>(line->command).request.spec();
  EXPECT_EQ(spec.paths_size(), 0);
  EXPECT_THAT(spec.nodes().names(), ElementsAre("n1", "n2"));
}

TEST(CommandLine, TakesABentoInPlaceOfPaths) {
  const auto line = Parse({"warm", "--bento", "chat:k6v2", "--nodes", "n1", "--wait"});
  ASSERT_TRUE(line) << line.error().message;
  const auto& request = std::get<WarmCommand>(line->command).request;
  EXPECT_EQ(request.bento(), "chat:k6v2");
  EXPECT_EQ(request.spec().volume(), "");
  EXPECT_THAT(request.spec().nodes().names(), ElementsAre("n1"));
  for (const auto& words : {std::vector<const char*>{"warm", "a:x", "--bento", "chat"},
                            {"warm", "--bento", "chat", "--model", "m"}}) {
    EXPECT_THAT(Problem(words), HasSubstr("leave out VOLUME:PATH and --model"));
  }
}

TEST(CommandLine, TellsAllProblemsAtOnce) {
  EXPECT_THAT(Problem({"warm", "a:x", "b:y", "--nodes", "n,k=v", "--deadline", "soon", "--server",
                       "nowhere"}),
              AllOf(HasSubstr("a prewarm is of one volume"), HasSubstr("mixes names and labels"),
                    HasSubstr("--deadline: \"soon\""), HasSubstr("is not HOST:PORT")));
  EXPECT_THAT(Problem({"warm", "a:x", "a"}), HasSubstr("the whole of volume"));
  EXPECT_THAT(Problem({"warm", "a", "--wait", "--dry-run"}), HasSubstr("do not go together"));
  EXPECT_THAT(Problem({"warm", "a", "--nodes", "k=1,k=2"}), HasSubstr("given twice"));
  EXPECT_THAT(Problem({"warm", "a", "--nodes", "n,,m"}), HasSubstr("nothing between"));
  EXPECT_THAT(Problem({"warm", "a", "--deadline", "-5m"}), HasSubstr("has passed"));
  EXPECT_THAT(Problem({"warm", "a", "--refuse-if-late"}), HasSubstr("needs --deadline"));
  EXPECT_THAT(Problem({"warm"}), HasSubstr("VOLUME:PATH"));
  EXPECT_THAT(Problem({"get"}), HasSubstr("prewarms, nodes, volumes"));
  EXPECT_THAT(Problem({"describe", "nodes"}), HasSubstr("which one?"));
  EXPECT_THAT(Problem({"get", "prewarms", "--state", "tired"}), HasSubstr("not a state"));
  EXPECT_THAT(Problem({"get", "nodes", "-o", "xml"}), HasSubstr("text, json or yaml"));
}

TEST(CommandLine, SuggestsWhatAMisspeltWordMeant) {
  EXPECT_THAT(Problem({"wram", "a"}), HasSubstr("did you mean warm?"));
  EXPECT_THAT(Problem({"get", "ndoes"}), HasSubstr("did you mean nodes?"));
  EXPECT_THAT(Problem({"warm", "a", "--dedline=1m"}), HasSubstr("did you mean --deadline?"));
  EXPECT_THAT(Problem({"get", "nodes", "--tokenfile", "x"}), HasSubstr("--token-file"));
  EXPECT_THAT(Problem({"completion", "bsh"}), HasSubstr("did you mean bash?"));
  EXPECT_EQ(Parse({"cancel", "nodes", "n"}).error().code, ErrorCode::kInvalidArgument);
}

TEST(CommandLine, TakesNamesThatAreAlsoCommands) {
  const auto line = Parse({"describe", "volume", "get"});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(std::get<DescribeCommand>(line->command).name, "get");
}

TEST(CommandLine, OptionsGoBeforeTheEnvironmentAndThatBeforeTheFile) {
  const rig::TempDir folder;
  std::filesystem::create_directories(folder.path() / "prewarm");
  std::ofstream(folder.path() / "prewarm/ctl.yaml")
      << "controller:\n  server: file:1\n  ca: file.pem\n  token-file: file.token\n";
  const rig::Variables variables{{"XDG_CONFIG_HOME", folder.path().string()},
                                 {"PREWARM_CA", "environment.pem"},
                                 {"PREWARM_SERVER", "environment:2"},
                                 {"PREWARM_TOKEN", "secret-token"}};
  const auto line = Parse({"get", "nodes", "--server", "option:3"}, variables);
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->config.server, "option:3");
  EXPECT_EQ(line->config.ca, "environment.pem");
  EXPECT_EQ(line->config.token_file, "file.token");
  EXPECT_EQ(ReadToken(line->config)->Reveal(), "secret-token");
  const auto printed = Parse({"--print-config"}, variables);
  EXPECT_THAT(printed->answer, AllOf(HasSubstr("environment:2"), Not(HasSubstr("secret"))));
}

TEST(CommandLine, NamesTheLineOfAWrongFile) {
  const rig::TempDir folder;
  std::ofstream(folder / "ctl.yaml") << "controller:\n  sever: a:1\n";
  const auto file = folder / "ctl.yaml";
  EXPECT_THAT(Problem({"get", "nodes", "--config", file.c_str()}),
              HasSubstr("ctl.yaml:2: unknown key controller.sever: did you mean"));
  EXPECT_EQ(Parse({"--check-config", "--config", file.c_str()}).error().code,
            ErrorCode::kInvalidConfig);
  EXPECT_FALSE(Parse({"get", "nodes", "--config", "/nowhere/ctl.yaml"}));
}

TEST(CommandLine, TheSampleFileHoldsTheDefaults) {
  std::ifstream file(rig::SourceDir() / "config/ctl.yaml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(Parse({"--print-config"})->answer, text.substr(text.find("\n\n") + 2));
}

TEST(CommandLine, TalksWithoutTlsToThisMachineOnly) {
  for (const char* server : {"127.0.0.1:1", "[::1]:1", "localhost:1", "127.8.8.8:1"}) {
    EXPECT_EQ(Problem({"get", "nodes", "--insecure", "--server", server}), "") << server;
  }
  for (const char* server : {"10.0.0.1:1", "controller:1", "localhost.evil:1", "[::2]:1"}) {
    EXPECT_THAT(Problem({"get", "nodes", "--insecure", "--server", server}),
                HasSubstr("is not this machine"))
        << server;
  }
}

TEST(Token, IsOneLineOfAFile) {
  const rig::TempDir folder;
  CtlConfig config;
  EXPECT_TRUE(ReadToken(config)->empty());
  config.token_file = folder / "token";
  EXPECT_THAT(ReadToken(config).error().message, HasSubstr("No such file"));
  const auto write = [&](const std::string& text) { std::ofstream(config.token_file) << text; };
  write("abc\n");
  EXPECT_EQ(ReadToken(config)->Reveal(), "abc");
  for (const auto* wrong : {"", "\n", "secret one\n", "secret\ntwo\n"}) {
    write(wrong);
    const auto token = ReadToken(config);
    ASSERT_FALSE(token) << wrong;
    EXPECT_THAT(token.error().message, Not(HasSubstr("secret")));
  }
}

v1::Prewarm Ended(v1::PrewarmState state, const std::vector<const char*>& tasks) {
  v1::Prewarm prewarm;
  prewarm.set_state(state);
  for (const char* task : tasks) prewarm.add_tasks()->set_state(task);
  return prewarm;
}

TEST(ExitCode, SaysHowItEnded) {
  EXPECT_EQ(ExitCodeOf(Ended(v1::PREWARM_STATE_SUCCEEDED, {"visible", "visible"})), kExitDone);
  EXPECT_EQ(ExitCodeOf(Ended(v1::PREWARM_STATE_WARM, {"visible"})), kExitDone);
  EXPECT_EQ(ExitCodeOf(Ended(v1::PREWARM_STATE_SUCCEEDED, {"visible", "failed"})), kExitPartly);
  EXPECT_EQ(ExitCodeOf(Ended(v1::PREWARM_STATE_FAILED, {"visible", "failed"})), kExitPartly);
  EXPECT_EQ(ExitCodeOf(Ended(v1::PREWARM_STATE_FAILED, {"failed", "failed"})), kExitFailed);
  EXPECT_EQ(ExitCodeOf(Ended(v1::PREWARM_STATE_CANCELLED, {"visible"})), kExitFailed);
  EXPECT_EQ(ExitCodeOf(Ended(v1::PREWARM_STATE_SUPERSEDED, {})), kExitFailed);
  EXPECT_EQ(ExitCodeOf(Fail(ErrorCode::kInvalidArgument, "")), kExitWrongUse);
  EXPECT_EQ(ExitCodeOf(Fail(ErrorCode::kNotFound, "")), kExitFailed);
}

// What bash would offer for the last of the words.
std::string Completions(const std::string& script, const std::string& words) {
  const rig::TempDir folder;
  std::ofstream(folder / "script") << script << "COMP_WORDS=(" << words << ")\n"
                                   << "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_prewarmctl\n"
                                   << "echo \"${COMPREPLY[*]}\"\n";
  rig::ChildProcess bash({"bash", "-eu", folder / "script"}, folder / "out");
  EXPECT_EQ(bash.Wait(), 0);
  return bash.Log();
}

TEST(Completion, OffersWhatTheProgramKnows) {
  const auto script = Parse({"completion", "bash"})->answer;
  EXPECT_THAT(Completions(script, "prewarmctl ''"),
              AllOf(HasSubstr("warm"), HasSubstr("describe"), Not(HasSubstr("--"))));
  EXPECT_EQ(Completions(script, "prewarmctl get n"), "nodes\n");
  EXPECT_EQ(Completions(script, "prewarmctl get prewarms --st"), "--state\n");
  EXPECT_EQ(Completions(script, "prewarmctl get nodes --st"), "\n");
  EXPECT_EQ(Completions(script, "prewarmctl get nodes -o j"), "json\n");
  EXPECT_EQ(Completions(script, "prewarmctl warm models:a --dead"), "--deadline\n");
  EXPECT_EQ(Completions(script, "prewarmctl completion z"), "zsh\n");
}

TEST(Completion, NamesEveryCommandForEachShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = Parse({"completion", shell})->answer;
    for (const char* word : {"warm", "get", "describe", "watch", "cancel", "files", "completion",
                             "prewarms", "nodes", "volumes", "token-file", "superseded"}) {
      EXPECT_THAT(script, HasSubstr(word)) << shell;
    }
  }
  EXPECT_THAT(Problem({"completion", "csh"}), HasSubstr("\"csh\" is unknown"));
}

TEST(Document, KeepsNumbersAsNumbersAndNamesEveryField) {
  v1::Node node;
  node.set_name("yes");
  node.set_capacity_bytes(~0ULL);
  (*node.mutable_labels())["zone"] = "1.0";
  node.mutable_seen_at()->set_seconds(1'800'000'000);
  const auto document = ToDocument(node);
  EXPECT_THAT(ToJsonText(document),
              AllOf(HasSubstr("\"capacity_bytes\": 18446744073709551615,"),
                    HasSubstr("\"seen_at\": \"2027-01-15T08:00:00Z\""), HasSubstr("\"eta\": null"),
                    HasSubstr("\"volumes\": []"), HasSubstr("    \"zone\": \"1.0\"")));
  EXPECT_THAT(ToYamlText(document), AllOf(HasSubstr("name: \"yes\""), HasSubstr("zone: \"1.0\""),
                                          HasSubstr("capacity_bytes: 18446744073709551615"),
                                          HasSubstr("eta: ~"), HasSubstr("connected: false")));
  v1::Prewarm prewarm;
  prewarm.set_state(v1::PREWARM_STATE_SUPERSEDED);
  prewarm.mutable_forecast()->mutable_late()->set_seconds(70);
  EXPECT_THAT(ToJsonLine(ToDocument(prewarm)),
              AllOf(HasSubstr("\"state\":\"superseded\""), HasSubstr("\"late\":70")));
}

}  // namespace
}  // namespace prewarm::ctl
