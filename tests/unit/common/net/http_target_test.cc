#include "common/net/http_target.h"

#include <gtest/gtest.h>

#include <random>

namespace prewarm::net {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;
using Segments = std::vector<std::string>;

HttpTarget Parsed(std::string_view text) {
  auto target = ParseHttpTarget(text);
  EXPECT_TRUE(target) << text << ": " << target.error().message;
  return target ? *std::move(target) : HttpTarget();
}

TEST(HttpTarget, SplitsThePathBeforeItDecodes) {
  const auto target = Parsed("/api/v1/volumes/a%2Fb/files");
  EXPECT_EQ(target.segments, (Segments{"api", "v1", "volumes", "a/b", "files"}));
  EXPECT_EQ(target.path, "/api/v1/volumes/a/b/files");
}

TEST(HttpTarget, KeepsEmptySegments) {
  EXPECT_EQ(Parsed("/").segments, (Segments{""}));
  EXPECT_EQ(Parsed("/a/").segments, (Segments{"a", ""}));
  EXPECT_EQ(Parsed("/a//b").segments, (Segments{"a", "", "b"}));
}

TEST(HttpTarget, ReadsParametersInOrderWithRepeats) {
  EXPECT_EQ(Parsed("/x?b=2&a=1&b=3").query, (Query{{"b", "2"}, {"a", "1"}, {"b", "3"}}));
  EXPECT_EQ(Parsed("/x?flag&empty=&=value&&").query,
            (Query{{"flag", ""}, {"empty", ""}, {"", "value"}}));
}

TEST(HttpTarget, ReadsPlusAsSpaceInTheQueryOnly) {
  const auto target = Parsed("/a+b?path=c+d%2Be%20f");
  EXPECT_EQ(target.path, "/a+b");
  EXPECT_EQ(target.Parameter("path"), "c d+e f");
  EXPECT_EQ(target.Parameter("other"), std::nullopt);
}

TEST(HttpTarget, TakesTheFormsThatProxiesAndOptionsSend) {
  EXPECT_EQ(Parsed("http://host:80/a/b?c=d").segments, (Segments{"a", "b"}));
  EXPECT_EQ(Parsed("http://host").path, "/");
  EXPECT_EQ(Parsed("http://host?c=d").Parameter("c"), "d");
  EXPECT_EQ(Parsed("*").path, "*");
  EXPECT_EQ(Parsed("/a?url=http://b/c").path, "/a");
}

TEST(HttpTarget, RefusesWhatIsNoTarget) {
  for (const auto* text : {"", "a", "host:443", "/%", "/%4", "/%zz", "/a%00", "/a%0ab", "/a?b=%",
                           "/a?b=%01", "/../a", "/a/%2e%2e/b", "/a/.", "/a\x01"}) {
    const auto target = ParseHttpTarget(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(HttpTarget, DecodesEveryByteThatCanBeSent) {
  for (int byte = 0x20; byte < 0x100; ++byte) {
    if (byte == 0x7f) continue;
    char escape[4];
    std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned>(byte));
    EXPECT_EQ(Parsed("/x" + std::string(escape)).segments,
              (Segments{"x" + std::string(1, static_cast<char>(byte))}));
  }
}

TEST(HttpTarget, SurvivesAnyBytes) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::string_view kLikely = "/%%%2f?&=+#.:ab0";
  std::size_t taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = "/";
    for (auto length = random() % 20; length > 0; --length) {
      text += random() % 8 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
    }
    if (const auto target = ParseHttpTarget(text)) {
      ++taken;
      for (const auto& segment : target->segments) ASSERT_NE(segment, "..") << text;
    }
  }
  EXPECT_GT(taken, 1000U);
}

}  // namespace
}  // namespace prewarm::net
