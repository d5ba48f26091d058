#include "common/net/redis_codec.h"

#include <gtest/gtest.h>

#include <random>

namespace prewarm::net {
namespace {

using Kind = RedisReply::Kind;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// A reply as text: kinds and nesting can be read off.
std::string Show(const RedisReply& reply) {
  switch (reply.kind) {
    case Kind::kNil: return "nil";
    case Kind::kString: return "\"" + reply.text + "\"";
    case Kind::kStatus: return "+" + reply.text;
    case Kind::kError: return "-" + reply.text;
    case Kind::kInteger: return std::to_string(reply.integer);
    case Kind::kArray: break;
  }
  std::string text = "[";
  for (const auto& element : reply.elements) text += Show(element) + " ";
  return text + "]";
}

std::string Show(const std::vector<RedisReply>& replies) {
  std::string text;
  for (const auto& reply : replies) text += Show(reply) + ";";
  return text;
}

constexpr std::string_view kReplies =
    "+OK\r\n-ERR no\r\n:-42\r\n$5\r\na\r\nbc\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
    "*3\r\n:1\r\n*2\r\n+x\r\n*1\r\n$1\r\ny\r\n$-1\r\n:9223372036854775807\r\n";
constexpr std::string_view kShown =
    "+OK;-ERR no;-42;\"a\r\nbc\";\"\";nil;nil;[];[1 [+x [\"y\" ] ] nil ];9223372036854775807;";

TEST(RedisCodec, WritesCommandsAsTheProtocolHasThem) {
  std::string wire = "before";
  AppendRedisCommand({"HGET", "d1", std::string("a\0\r\n", 4), ""}, wire);
  using std::string_literals::operator""s;
  EXPECT_EQ(wire, "before*4\r\n$4\r\nHGET\r\n$2\r\nd1\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n"s);
}

TEST(RedisCodec, ReadsRepliesCutAtEveryByte) {
  for (std::size_t cut = 0; cut <= kReplies.size(); ++cut) {
    RedisReplyReader reader;
    std::vector<RedisReply> replies;
    ASSERT_TRUE(reader.Feed(Bytes(kReplies.substr(0, cut)), replies)) << cut;
    ASSERT_TRUE(reader.Feed(Bytes(kReplies.substr(cut)), replies)) << cut;
    ASSERT_EQ(Show(replies), kShown) << cut;
  }
}

TEST(RedisCodec, ReadsRepliesOneByteAtATime) {
  RedisReplyReader reader;
  std::vector<RedisReply> replies;
  for (const char& c : kReplies) ASSERT_TRUE(reader.Feed(Bytes({&c, 1}), replies));
  EXPECT_EQ(Show(replies), kShown);
}

TEST(RedisCodec, GivesEachReplyAsSoonAsItIsWhole) {
  RedisReplyReader reader;
  std::vector<RedisReply> replies;
  ASSERT_TRUE(reader.Feed(Bytes("+a\r\n*2\r\n+b\r\n"), replies));
  EXPECT_EQ(Show(replies), "+a;");
  ASSERT_TRUE(reader.Feed(Bytes("+c\r\n"), replies));
  EXPECT_EQ(Show(replies), "+a;[+b +c ];");
}

TEST(RedisCodec, CarriesLargeValuesAndLongArrays) {
  const std::string large(3 << 20, 'x');
  std::string wire = "$" + std::to_string(large.size()) + "\r\n" + large + "\r\n*50000\r\n";
  for (int i = 0; i < 50000; ++i) wire += ":" + std::to_string(i) + "\r\n";
  RedisReplyReader reader;
  std::vector<RedisReply> replies;
  ASSERT_TRUE(reader.Feed(Bytes(wire), replies));
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].text, large);
  ASSERT_EQ(replies[1].elements.size(), 50000U);
  EXPECT_EQ(replies[1].elements.back().integer, 49999);
}

TEST(RedisCodec, RefusesWhatIsNotTheProtocolAndStaysRefusing) {
  for (const std::string_view garbage :
       {"HTTP/1.1 400 Bad Request\r\n", "\x15\x03\x03", "$x\r\n", "$-2\r\n", "*x\r\n", "*-2\r\n",
        "*99999999999\r\n", "$1\r\n\x01", "\r\n"}) {
    RedisReplyReader reader;
    std::vector<RedisReply> replies;
    ASSERT_TRUE(reader.Feed(Bytes("+before\r\n"), replies));
    const auto fed = reader.Feed(Bytes(garbage), replies);
    if (garbage == "$1\r\n\x01") {  // whole only once two more bytes are there
      EXPECT_TRUE(fed);
      continue;
    }
    ASSERT_FALSE(fed) << garbage;
    EXPECT_EQ(fed.error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(Show(replies), "+before;");
    EXPECT_FALSE(reader.Feed(Bytes("+after\r\n"), replies));
    EXPECT_EQ(replies.size(), 1U);
  }
}

std::string Nested(int depth) {
  std::string wire;
  for (int i = 0; i < depth; ++i) wire += "*1\r\n";
  return wire + ":1\r\n";
}

TEST(RedisCodec, BoundsNesting) {
  std::vector<RedisReply> replies;
  EXPECT_TRUE(RedisReplyReader().Feed(Bytes(Nested(7)), replies));
  EXPECT_EQ(replies.size(), 1U);
  const auto deep = RedisReplyReader().Feed(Bytes(Nested(1000)), replies);
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, ErrorCode::kCorrupt);
}

TEST(RedisCodec, BoundsTheElementsOfAReplyHoweverTheyAreNested) {
  const RedisReplyReader::Limits limits{.reply_bytes = 1 << 20, .elements = 10};
  std::vector<RedisReply> replies;
  RedisReplyReader fits(limits);
  for (int i = 0; i < 3; ++i) {  // the bound is for each reply
    ASSERT_TRUE(
        fits.Feed(Bytes("*2\r\n*3\r\n:1\r\n:2\r\n:3\r\n*3\r\n:1\r\n:2\r\n:3\r\n"), replies));
  }
  const auto over = RedisReplyReader(limits).Feed(
      Bytes("*2\r\n*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n"), replies);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(over.error().message.find("more than 10 elements"), std::string::npos);
}

TEST(RedisCodec, BelievesNoPromisedLength) {
  // Two billion elements promised, none sent: nothing is allocated for them, and they fail late.
  RedisReplyReader reader;
  std::vector<RedisReply> replies;
  EXPECT_TRUE(reader.Feed(Bytes("*2147483647\r\n"), replies));
  EXPECT_TRUE(replies.empty());
}

TEST(RedisCodec, BoundsTheBytesOfAReply) {
  const RedisReplyReader::Limits limits{.reply_bytes = 100'000, .elements = 1 << 20};
  RedisReplyReader reader(limits);
  std::vector<RedisReply> replies;
  ASSERT_TRUE(reader.Feed(Bytes("$90000\r\n" + std::string(90000, 'x') + "\r\n"), replies));
  ASSERT_TRUE(reader.Feed(Bytes("$90000\r\n" + std::string(90000, 'x') + "\r\n"), replies));
  const auto endless = reader.Feed(Bytes("$900000\r\n" + std::string(200'000, 'x')), replies);
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(replies.size(), 2U);
}

TEST(RedisCodec, SurvivesRandomBytes) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random(seed);
  constexpr std::string_view kAlphabet = "*$+-:0123456789\r\n\r\n\r\nx";
  for (int round = 0; round < 3000; ++round) {
    RedisReplyReader reader;
    std::vector<RedisReply> replies;
    std::string wire;
    for (int i = 0; i < 60; ++i) wire += kAlphabet[random() % kAlphabet.size()];
    const std::size_t cut = random() % wire.size();
    const auto first = reader.Feed(Bytes(std::string_view(wire).substr(0, cut)), replies);
    const auto second = reader.Feed(Bytes(std::string_view(wire).substr(cut)), replies);
    ASSERT_TRUE(first || !second) << wire;
  }
}

}  // namespace
}  // namespace prewarm::net
