#include "common/base/utf8.h"

#include <gtest/gtest.h>

namespace prewarm {
namespace {

TEST(Utf8, LeavesTextAsItIs) {
  for (const auto* text : {"", "plain", "M\xc3\xbcnchen", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xed\x9f\xbf\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(ToUtf8(text), text);
  }
}

TEST(Utf8, ReplacesEveryByteThatIsNoText) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(ToUtf8("a\xff"), "a" + bad);
  EXPECT_EQ(ToUtf8("\xc3"), bad) << "cut off";
  EXPECT_EQ(ToUtf8("\xc3(x"), bad + "(x");
  EXPECT_EQ(ToUtf8("\x80\xbf"), bad + bad);
  EXPECT_EQ(ToUtf8("\xc0\xaf"), bad + bad) << "an overlong slash";
  EXPECT_EQ(ToUtf8("\xe0\x80\xaf"), bad + bad + bad);
  EXPECT_EQ(ToUtf8("\xf0\x80\x80\xaf"), bad + bad + bad + bad);
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), bad + bad + bad) << "a surrogate";
  EXPECT_EQ(ToUtf8("\xf4\x90\x80\x80"), bad + bad + bad + bad) << "beyond the last character";
}

TEST(IsUtf8, IsWhatStaysAsItIs) {
  for (const std::string text :
       {"", "abc", "a\u00e9\u20ac\U0001F600", "\xff", "abc\xe9", "\xed\xa0\x80"}) {
    EXPECT_EQ(IsUtf8(text), ToUtf8(text) == text) << ToUtf8(text);
  }
  EXPECT_TRUE(IsUtf8("caf\u00e9"));
  EXPECT_FALSE(IsUtf8("caf\xe9"));
}

TEST(ToUtf8, IsCutWhereACharacterBegins) {
  EXPECT_EQ(ToUtf8("abc", 3), "abc");
  EXPECT_EQ(ToUtf8("abc", 2), "ab");
  EXPECT_EQ(ToUtf8("a\u00e9b", 2), "a");
  EXPECT_EQ(ToUtf8("a\u00e9b", 3), "a\u00e9");
  EXPECT_EQ(ToUtf8("\xff\xff", 5), "\xef\xbf\xbd") << "what stands for a byte is longer than it";
  EXPECT_EQ(ToUtf8("a", 0), "");
}

}  // namespace
}  // namespace prewarm
