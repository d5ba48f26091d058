#include "common/metadata/redis_slots.h"

#include <gtest/gtest.h>

#include "common/metadata/redis_answers.h"

namespace prewarm::metadata {
namespace {

using net::RedisReply;
using Kind = RedisReply::Kind;

RedisReply Text(std::string text, Kind kind = Kind::kString) {
  return {.kind = kind, .text = std::move(text), .integer = 0, .elements = {}};
}
RedisReply Number(std::int64_t value) {
  return {.kind = Kind::kInteger, .text = {}, .integer = value, .elements = {}};
}
RedisReply List(std::vector<RedisReply> elements) {
  return {.kind = Kind::kArray, .text = {}, .integer = 0, .elements = std::move(elements)};
}
RedisReply ErrorReply(std::string text) { return Text(std::move(text), Kind::kError); }

TEST(RedisSlots, HashesAsTheClusterSpecificationSays) {
  EXPECT_EQ(Crc16("123456789"), 0x31c3);
  EXPECT_EQ(Crc16(""), 0);
  // Answers of a real server to CLUSTER KEYSLOT.
  EXPECT_EQ(SlotOf("foo"), 12182);
  EXPECT_EQ(SlotOf("somekey"), 11058);
  EXPECT_EQ(SlotOf("foo{hash_tag}"), 2515);
  EXPECT_EQ(SlotOf("bar{hash_tag}"), 2515);
}

TEST(RedisSlots, PutsAllKeysOfAVolumeIntoOneSlot) {
  EXPECT_EQ(SlotOf("{1}"), SlotOf("{1}setting"));
  EXPECT_EQ(SlotOf("{1}c42_7"), SlotOf("1"));
  EXPECT_NE(SlotOf("{1}setting"), SlotOf("{2}setting"));
}

TEST(RedisSlots, TakesTheWholeKeyWhereThereIsNoTag) {
  EXPECT_EQ(SlotOf("{}foo"), Crc16("{}foo") % kRedisSlots);
  EXPECT_EQ(SlotOf("foo{bar"), Crc16("foo{bar") % kRedisSlots);
  EXPECT_EQ(SlotOf("foo{{bar}}"), Crc16("{bar") % kRedisSlots);
  EXPECT_EQ(SlotOf("foo{bar}{zap}"), Crc16("bar") % kRedisSlots);
}

TEST(RedisSlots, FindsTheMasterOfASlotAndAllMembers) {
  const auto reply =
      List({List({Number(0), Number(5460), List({Text("a"), Number(1)}),
                  List({Text("b"), Number(2), Text("id"), List({})})}),
            List({Number(5461), Number(16383), List({Text(""), Number(3), Text("id")}),
                  List({Text("b"), Number(2)})})});
  const HostPort asked{.host = "seed", .port = 9};
  const auto low = ReadSlotMap(reply, 5460, asked);
  ASSERT_TRUE(low);
  EXPECT_EQ(low->owner, (HostPort{"a", 1}));
  EXPECT_EQ(low->nodes, (std::vector<HostPort>{{"a", 1}, {"b", 2}, {"seed", 3}}));
  const auto high = ReadSlotMap(reply, 5461, asked);
  ASSERT_TRUE(high);
  EXPECT_EQ(high->owner, (HostPort{"seed", 3})) << "a server without a name is the one asked";
}

TEST(RedisSlots, WaitsForAnOwnerAndRefusesNonsense) {
  const HostPort asked{.host = "seed", .port = 9};
  const auto gap = List({List({Number(0), Number(10), List({Text("a"), Number(1)})})});
  EXPECT_EQ(ReadSlotMap(gap, 11, asked).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(ReadSlotMap(List({}), 11, asked).error().code, ErrorCode::kUnavailable);
  for (const auto& nonsense :
       {Text("x"), List({Text("x")}), List({List({Number(0), Number(10)})}),
        List({List({Number(0), Number(10), List({Text("a")})})}),
        List({List({Number(0), Number(10), List({Text("a"), Number(0)})})}),
        List({List({Number(0), Number(10), List({Text("a"), Number(65536)})})})}) {
    EXPECT_EQ(ReadSlotMap(nonsense, 5, asked).error().code, ErrorCode::kCorrupt);
  }
}

TEST(RedisAnswers, TellsWhatPassesFromWhatDoesNot) {
  const std::pair<const char*, Verdict> kReplies[] = {
      {"MOVED 3999 127.0.0.1:6381", Verdict::kMoved},
      {"ASK 3999 127.0.0.1:6381", Verdict::kAsk},
      {"TRYAGAIN Multiple keys request during rehashing of slot", Verdict::kWait},
      {"BUSY Redis is busy running a script.", Verdict::kWait},
      {"LOADING Redis is loading the dataset in memory", Verdict::kElsewhere},
      {"CLUSTERDOWN The cluster is down", Verdict::kElsewhere},
      {"CLUSTERDOWN Hash slot not served", Verdict::kElsewhere},
      {"MASTERDOWN Link with MASTER is down", Verdict::kElsewhere},
      {"ERR max number of clients reached", Verdict::kElsewhere},
      {"NOAUTH Authentication required.", Verdict::kRefused},
      {"WRONGPASS invalid username-password pair or user is disabled.", Verdict::kRefused},
      {"ERR invalid password", Verdict::kRefused},
      {"NOPERM this user has no permissions", Verdict::kAnswer},
      {"WRONGTYPE Operation against a key", Verdict::kAnswer},
      {"ERR unknown command", Verdict::kAnswer},
  };
  for (const auto& [text, verdict] : kReplies) EXPECT_EQ(Judge(ErrorReply(text)), verdict) << text;
  EXPECT_EQ(Judge(Text("MOVED 1 a:1")), Verdict::kAnswer) << "a value is never an instruction";
  EXPECT_EQ(ErrorOf(ErrorReply("LOADING x"), "w").code, ErrorCode::kUnavailable);
  EXPECT_EQ(ErrorOf(ErrorReply("NOAUTH x"), "w").code, ErrorCode::kPermission);
  EXPECT_EQ(ErrorOf(ErrorReply("NOPERM x"), "w").code, ErrorCode::kPermission);
  EXPECT_EQ(ErrorOf(ErrorReply("ERR x"), "w").code, ErrorCode::kInternal);
}

TEST(RedisAnswers, ReadsWhereARedirectPoints) {
  const HostPort asked{.host = "seed", .port = 9};
  EXPECT_EQ(RedirectTarget("MOVED 3999 10.0.0.1:6381", asked), (HostPort{"10.0.0.1", 6381}));
  EXPECT_EQ(RedirectTarget("ASK 1 host.name:1", asked), (HostPort{"host.name", 1}));
  EXPECT_EQ(RedirectTarget("MOVED 3999 ::1:6381", asked), (HostPort{"::1", 6381}));
  EXPECT_EQ(RedirectTarget("MOVED 3999 [::1]:6381", asked), (HostPort{"::1", 6381}));
  EXPECT_EQ(RedirectTarget("MOVED 3999 :6381", asked), (HostPort{"seed", 6381}));
  for (const char* nonsense : {"MOVED", "MOVED 1", "MOVED 1 a", "MOVED 1 a:", "MOVED 1 a:x",
                               "MOVED 1 a:0", "MOVED 1 a:65536"}) {
    EXPECT_EQ(RedirectTarget(nonsense, asked), std::nullopt) << nonsense;
  }
}

}  // namespace
}  // namespace prewarm::metadata
