#include "controller/api/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/async/task_group.h"
#include "common/base/rfc3339.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::controller {
namespace {

using std::chrono_literals::operator""ms;
using testing::HasSubstr;
using testing::Not;

constexpr auto kTokens =
    "# who may call\n"
    "\n"
    "reader-token,dashboard,team-a,get\r\n"
    "  release-token , ci , team-b , get+create+cancel , 2026-12-01T00:00:00Z  \n"
    "scraper-token,prometheus,ops,metrics";

WallTime At(const char* text) { return *ParseRfc3339(text); }

Right ARightOf(Verb verb) {
  switch (verb) {
    case Verb::kGet: return {Action::kGet, Subject::kNodes};
    case Verb::kCreate: return {Action::kCreate, Subject::kPrewarms};
    case Verb::kCancel: return {Action::kDelete, Subject::kPrewarms};
    case Verb::kMetrics: break;
  }
  return {Action::kGet, Subject::kMetrics};
}

class TokenTableTest : public testing::Test {
 protected:
  // The identity, or the type of the refusal.
  std::string Ask(std::optional<std::string> authorization, Verb verb = Verb::kGet,
                  const char* now = "2026-11-25T00:00:00Z", const char* name_space = "") {
    const auto caller =
        table_.Check({std::move(authorization), ARightOf(verb), name_space}, At(now));
    return caller ? caller->identity + "@" + caller->name_space : caller.error().type;
  }
  TokenTable table_ = *TokenTable::Parse(kTokens, "tokens");
};

TEST_F(TokenTableTest, KnowsWhoCalls) {
  EXPECT_EQ(table_.size(), 3U);
  EXPECT_EQ(Ask("Bearer reader-token"), "dashboard@team-a");
  EXPECT_EQ(Ask("bearer   release-token "), "ci@team-b");
  EXPECT_EQ(Ask("BEARER scraper-token", Verb::kMetrics), "prometheus@ops");
}

TEST_F(TokenTableTest, RefusesWhoIsNotKnown) {
  for (const auto* authorization :
       {"", "Bearer", "Bearer ", "reader-token", "Basic reader-token", "Bearerreader-token",
        "Bearer reader-toke", "Bearer reader-tokenx", "Bearer Reader-token",
        "Bearer reader-token release-token"}) {
    EXPECT_EQ(Ask(authorization), "unauthenticated") << authorization;
  }
  EXPECT_EQ(Ask(std::nullopt), "unauthenticated");
  EXPECT_EQ(Ask("Bearer " + std::string(100'000, 'x')), "unauthenticated");
}

TEST_F(TokenTableTest, HoldsTokensToTheirVerbsAndTheirTime) {
  EXPECT_EQ(Ask("Bearer reader-token", Verb::kCreate), "forbidden");
  EXPECT_EQ(Ask("Bearer reader-token", Verb::kMetrics), "forbidden");
  EXPECT_EQ(Ask("Bearer release-token", Verb::kCancel), "ci@team-b");
  EXPECT_EQ(Ask("Bearer release-token", Verb::kGet, "2026-11-30T23:59:59Z"), "ci@team-b");
  EXPECT_EQ(Ask("Bearer release-token", Verb::kGet, "2026-12-01T00:00:00Z"), "unauthenticated");
}

TEST_F(TokenTableTest, HoldsTokensToTheirNamespace) {
  const auto* now = "2026-11-25T00:00:00Z";
  EXPECT_EQ(Ask("Bearer reader-token", Verb::kGet, now, "team-a"), "dashboard@team-a");
  EXPECT_EQ(Ask("Bearer reader-token", Verb::kGet, now, "team-b"), "forbidden");
}

TEST(TokenTable, NamesEveryWrongLineAndNoToken) {
  const auto table = TokenTable::Parse(
      "secret-1,ci,team\n"
      "short,ci,team,get\n"
      "secret 2x,ci,team,get\n"
      "secret-3,,team,get\n"
      "secret-4,ci,,get\n"
      "secret-5,ci,team,get+secret-5\n"
      "secret-6,ci,team,get,secret-6\n"
      "secret-7,ci,team,\n"
      "good-token,ci,team,get\n"
      "good-token,ci,team,create\n",
      "/etc/tokens");
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::kInvalidConfig);
  const std::string& message = table.error().message;
  EXPECT_EQ(std::ranges::count(message, '\n'), 8) << message;
  for (const int line : {1, 2, 3, 4, 5, 6, 7, 8, 10}) {
    EXPECT_THAT(message, HasSubstr("/etc/tokens:" + std::to_string(line) + ": "));
  }
  EXPECT_THAT(message, Not(HasSubstr("secret-")));
  EXPECT_THAT(message, Not(HasSubstr("good-token")));
}

class TokensTest : public testing::Test {
 protected:
  TokensTest() { Write("first-token,one,team,get\n"); }

  // As an editor or a rotation does it: a new file under the old name.
  void Write(const std::string& text) {
    std::ofstream(folder_ / "new") << text;
    std::filesystem::rename(folder_ / "new", file_);
  }
  bool Knows(const Tokens& tokens, const std::string& token) {
    const auto answer = tokens.Check({"Bearer " + token, ARightOf(Verb::kGet)});
    return answer && answer->has_value();
  }

  const rig::TempDir folder_;
  const std::string file_ = folder_ / "tokens";
  const SystemClock clock_;
};

TEST_F(TokensTest, TakesANewFileAndKeepsTheOldTokensWhereItIsWrong) {
  const auto loaded = Tokens::Load(file_, clock_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  Tokens& tokens = **loaded;
  EXPECT_TRUE(Knows(tokens, "first-token"));

  boost::asio::io_context loop;
  boost::asio::thread_pool pool(1);
  TaskGroup group(loop.get_executor());
  std::vector<Status> reloads;
  group.Spawn("follow", tokens.Follow(pool, 1ms, [&](const Status& status) {
    reloads.push_back(status);
    if (reloads.size() == 1) {
      EXPECT_TRUE(status);
      EXPECT_TRUE(Knows(tokens, "second-token"));
      EXPECT_FALSE(Knows(tokens, "first-token"));
      Write("nonsense\n");
    } else if (reloads.size() == 2) {
      EXPECT_FALSE(status);
      EXPECT_TRUE(Knows(tokens, "second-token"));
      std::filesystem::remove(file_);
    } else {
      EXPECT_FALSE(status);
      EXPECT_TRUE(Knows(tokens, "second-token"));
      group.Stop();
    }
  }));
  Write("second-token,two,team,get\n");
  loop.run();
  EXPECT_EQ(reloads.size(), 3U);
}

TEST_F(TokensTest, DoesNotStartWithoutItsFile) {
  const auto missing = Tokens::Load(folder_ / "absent", clock_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(missing.error().message, HasSubstr("absent"));
  Write(std::string(2U << 20, '#'));
  EXPECT_FALSE(Tokens::Load(file_, clock_));
}

}  // namespace
}  // namespace prewarm::controller
