#include "controller/kube/watch_decoder.h"

#include <gtest/gtest.h>

#include <vector>

namespace prewarm::controller::kube {
namespace {

using Seen = std::vector<std::pair<WatchEventType, std::string>>;

WatchSink KeepIn(Seen& seen) {
  return [&seen](WatchEventType type, const boost::json::object& object) {
    seen.emplace_back(type, std::string(object.at("n").as_string()));
    return Status();
  };
}

const std::string& Lines() {
  static const std::string lines =
      "{\"type\":\"ADDED\",\"object\":{\"n\":\"1\"}}\n\n"
      "{\"type\":\"MODIFIED\",\"object\":{\"n\":\"\\u00e4\"},\"more\":[1,{}]}\r\n"
      "{\"object\":{\"n\":\"3\"},\"type\":\"DELETED\"}\n"
      "{\"type\":\"BOOKMARK\",\"object\":{\"n\":\"4\"}}\n"
      "{\"type\":\"ERROR\",\"object\":{\"n\":\"5\"}}\n";
  return lines;
}

TEST(WatchDecoder, SeesTheSameEventsHoweverTheyAreCut) {
  const Seen expected = {{WatchEventType::kAdded, "1"},
                         {WatchEventType::kModified, "ä"},
                         {WatchEventType::kDeleted, "3"},
                         {WatchEventType::kBookmark, "4"},
                         {WatchEventType::kError, "5"}};
  for (std::size_t first = 0; first <= Lines().size(); ++first) {
    for (std::size_t size = 1; size < 40; size += 13) {
      Seen seen;
      WatchDecoder decoder(1000);
      ASSERT_TRUE(decoder.Feed(Lines().substr(0, first), KeepIn(seen)));
      for (auto at = first; at < Lines().size(); at += size) {
        ASSERT_TRUE(decoder.Feed(Lines().substr(at, size), KeepIn(seen)));
      }
      EXPECT_EQ(seen, expected);
      EXPECT_TRUE(decoder.Finish());
    }
  }
}

TEST(WatchDecoder, RefusesWhatIsNoEvent) {
  Seen seen;
  for (const auto* line :
       {"hello", "[]", "{}", R"({"type":"ADDED"})", R"({"type":"ADDED","object":[]})",
        R"({"type":"DANCED","object":{}})", R"({"object":{}})", R"({"type":7,"object":{}})",
        R"({"type":"ADDED","object":{"n":"1"}} x)"}) {
    WatchDecoder decoder(1000);
    const auto status = decoder.Feed(std::string(line) + "\n", KeepIn(seen));
    ASSERT_FALSE(status) << line;
    EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
    EXPECT_EQ(status.error().reason, Reason::kNotAnObject);
  }
  EXPECT_TRUE(seen.empty());
}

TEST(WatchDecoder, RefusesNestingThatWouldOverflowTheStack) {
  Seen seen;
  WatchDecoder decoder(10'000'000);
  const auto line = R"({"type":"ADDED","object":{"n":)" + std::string(1'000'000, '[') + "\n";
  EXPECT_FALSE(decoder.Feed(line, KeepIn(seen)));
}

TEST(WatchDecoder, KnowsALineThatIsTooLongBeforeItsEnd) {
  Seen seen;
  WatchDecoder decoder(100);
  ASSERT_TRUE(decoder.Feed(std::string(60, 'x'), KeepIn(seen)));
  const auto status = decoder.Feed(std::string(41, 'x'), KeepIn(seen));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::kWrongLength);
}

TEST(WatchDecoder, EndsWithTheErrorOfItsReceiver) {
  WatchDecoder decoder(1000);
  const auto status = decoder.Feed(
      Lines(), [](auto, const auto&) -> Status { return Fail(ErrorCode::kConflict, "enough"); });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "enough");
}

}  // namespace
}  // namespace prewarm::controller::kube
