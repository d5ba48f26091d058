#include "agent/mount/check_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace prewarm::agent {
namespace {

using testing::HasSubstr;

constexpr CacheCount kCount{2, 26214400, 25165824};

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::string Progress() { return FromHex("fe00000000000000020000000001900000"); }

std::string ResultOf(const std::string& json) {
  std::string bytes = "\xff";
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(json.size() >> shift);
  return bytes + json;
}

// As clients 1.3.1 and 1.4.2 said it.
std::string Recorded() {
  return ResultOf(R"({"FileCount":2,"SliceCount":2,"TotalBytes":26214400,"MissBytes":25165824,)"
                  R"("Locations":{"/cache/7289468d-45e4-460a-b1aa-dd854e6e39c4/":1048576}})");
}

TEST(CheckRequest, IsWhatTheClientsOwnCommandLineSends) {
  // The reference vector, but for the number of workers (here 8, there 50).
  EXPECT_EQ(CheckRequest(std::vector<std::string>{"/data/a", "inode:42"}),
            FromHex("000003ec00000018000000102f646174612f610a696e6f64653a343200080002"));
}

TEST(CheckRequest, AsksInTheForegroundForNothingButACheckWithSomeWorkers) {
  const auto message = CheckRequest(std::vector<std::string>(1000, "/" + std::string(400, 'x')));
  const auto tail = message.substr(message.size() - 4);
  EXPECT_NE(tail.substr(0, 2), std::string(2, '\0')) << "no workers: the job would hang";
  EXPECT_EQ(tail.substr(2), std::string("\0\2", 2));
}

TEST(CheckReply, IsReadWhereverItIsCut) {
  const auto answer = Progress() + Progress() + Recorded();
  for (std::size_t first = 0; first <= answer.size(); ++first) {
    for (const std::size_t second : {first, (first + answer.size()) / 2, answer.size()}) {
      CheckReply reply;
      ASSERT_TRUE(reply.Feed(answer.substr(0, first)));
      EXPECT_EQ(reply.count().has_value(), first == answer.size()) << first;
      ASSERT_TRUE(reply.Feed(answer.substr(first, second - first)));
      ASSERT_TRUE(reply.Feed(answer.substr(second)));
      ASSERT_TRUE(reply.count()) << first << " " << second;
      EXPECT_EQ(*reply.count(), kCount);
    }
  }
}

TEST(CheckReply, IsReadByteForByteAndIgnoresWhatFollows) {
  CheckReply reply;
  for (const char byte : Progress() + Recorded() + std::string("\5") + Recorded()) {
    ASSERT_TRUE(reply.Feed({&byte, 1}));
  }
  EXPECT_EQ(reply.count(), kCount);
}

TEST(CheckReply, OfAnErrorIsThatError) {
  CheckReply reply;
  ASSERT_TRUE(reply.Feed(Progress()));
  const auto status = reply.Feed("\x0d");  // EACCES
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kPermission);
  EXPECT_FALSE(reply.count());
}

TEST(CheckReply, ThatNoClientGivesIsCorrupt) {
  const std::string big = "\xff\x7f\xff\xff\xff";
  for (const auto& odd : {std::string(1, '\0'), big, ResultOf("["), ResultOf("[]"), ResultOf(""),
                          ResultOf(R"({"FileCount":1,"TotalBytes":5})"),
                          ResultOf(R"({"FileCount":1,"TotalBytes":-5,"MissBytes":0})"),
                          ResultOf(R"({"FileCount":1,"TotalBytes":"5","MissBytes":0})"),
                          ResultOf(R"({"FileCount":1,"TotalBytes":5,"MissBytes":6})")}) {
    CheckReply reply;
    const auto status = reply.Feed(odd);
    ASSERT_FALSE(status) << odd;
    EXPECT_EQ(status.error().code, ErrorCode::kCorrupt) << odd;
    EXPECT_THAT(status.error().message, HasSubstr("the client's answer to a check"));
  }
}

TEST(CheckReply, OfRandomBytesIsNeverACountOutOfBounds) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto whole = Progress() + Recorded();
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (std::size_t i = 0, changes = random() % 8; i <= changes; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    bytes.resize(random() % (bytes.size() + 1));
    CheckReply reply;
    while (!bytes.empty()) {
      const auto piece = 1 + random() % bytes.size();
      if (!reply.Feed(bytes.substr(0, piece))) break;
      bytes.erase(0, piece);
    }
    if (reply.count()) {
      ASSERT_LE(reply.count()->missing_bytes, reply.count()->total_bytes);
    }
  }
}

TEST(AnswersChecks, IsTrueOnlyOfClientsThatAreKnownToDistinguishACheckFromAWarmup) {
  for (const auto* version : {"1.2.0+2024-06-13.abc", "1.2.5", "1.3.1+2025-12-02.e0032b2",
                              "1.4.0-beta1", "1.4.2+2026-08-01.x", "1.10.0"}) {
    EXPECT_TRUE(AnswersChecks(version)) << version;
  }
  for (const auto* version : {"", "1", "1.2", "1.x.0", "1.1.3", "1.0.4", "1.2.0-dev",
                              "1.2.0-beta1+2024", "0.17.5", "2.0.0", "5.1.2", "99999999999.3.1"}) {
    EXPECT_FALSE(AnswersChecks(version)) << version;
  }
}

}  // namespace
}  // namespace prewarm::agent
