#include "common/juicefs/cache_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prewarm::juicefs {
namespace {

using testing::HasSubstr;
using Dirs = std::vector<std::string>;

Dirs Split(std::string_view value) {
  auto dirs = SplitCacheDirs(value);
  return dirs ? *dirs : Dirs{"error: " + dirs.error().message};
}

TEST(SplitCacheDirs, SplitsAtColonsElseAtCommas) {
  EXPECT_EQ(Split("/var/jfsCache"), (Dirs{"/var/jfsCache"}));
  EXPECT_EQ(Split("/a:/b:/c"), (Dirs{"/a", "/b", "/c"}));
  EXPECT_EQ(Split("/a,/b"), (Dirs{"/a", "/b"}));
  EXPECT_EQ(Split("/a,1:/b"), (Dirs{"/a,1", "/b"}));
  EXPECT_EQ(Split("/mnt/disk*/cache"), (Dirs{"/mnt/disk*/cache"}));
}

TEST(SplitCacheDirs, DropsTrailingSlashesAndEmptyAndRepeatedEntries) {
  EXPECT_EQ(Split("/b/:/a//::/b:"), (Dirs{"/b", "/a"}));
  EXPECT_EQ(Split("/"), (Dirs{"/"}));
}

TEST(SplitCacheDirs, RefusesWhatCannotBeWarmed) {
  for (const char* value : {"", ":", ",,"}) {
    EXPECT_THAT(Split(value), testing::ElementsAre(HasSubstr("no cache directory"))) << value;
  }
  EXPECT_THAT(Split("memory"), testing::ElementsAre(HasSubstr("memory")));
  EXPECT_THAT(Split("/a:relative"), testing::ElementsAre(HasSubstr("\"relative\"")));
  EXPECT_THAT(Split(std::string_view("/a\0b", 4)), testing::ElementsAre(HasSubstr("zero byte")));
  EXPECT_EQ(SplitCacheDirs("relative").error().code, ErrorCode::kInvalidArgument);
}

TEST(HasWildcard, KnowsTheFourCharactersOfAPattern) {
  EXPECT_TRUE(HasWildcard("/mnt/disk*"));
  EXPECT_TRUE(HasWildcard("/mnt/disk?"));
  EXPECT_TRUE(HasWildcard("/mnt/disk[12]"));
  EXPECT_TRUE(HasWildcard("/mnt/a\\*"));
  EXPECT_FALSE(HasWildcard("/mnt/{a,b}]"));
}

TEST(ParseCacheMode, TakesOctalText) {
  EXPECT_EQ(*ParseCacheMode("0600"), 0600U);
  EXPECT_EQ(*ParseCacheMode("600"), 0600U);
  EXPECT_EQ(*ParseCacheMode("0644"), 0644U);
  EXPECT_EQ(*ParseCacheMode("0"), 0U);
}

TEST(ParseCacheMode, RefusesWhatIsNoMode) {
  for (const char* text : {"", "0800", "rw", "1000", "-1", "0600 ", "0x1ff", "77777777777777"}) {
    const auto mode = ParseCacheMode(text);
    ASSERT_FALSE(mode) << text;
    EXPECT_EQ(mode.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(DirectoryMode, LetsWhoMayReadFilesAlsoEnterAndWrite) {
  EXPECT_EQ(DirectoryMode(0600), 0700U);
  EXPECT_EQ(DirectoryMode(0644), 0777U);
  EXPECT_EQ(DirectoryMode(0640), 0770U);
  EXPECT_EQ(DirectoryMode(0200), 0200U);
}

TEST(IsUuid, TakesOnlyTheCanonicalForm) {
  EXPECT_TRUE(IsUuid("12345678-9abc-4def-8012-3456789abcde"));
  EXPECT_TRUE(IsUuid("12345678-9ABC-4DEF-8012-3456789ABCDE"));
  for (const char* text :
       {"", "12345678-9abc-4def-8012-3456789abcd", "12345678-9abc-4def-8012-3456789abcdef",
        "123456789abc-4def-8012-3456789abcde1", "12345678-9abc-4def-8012-3456789abcdg",
        "../45678-9abc-4def-8012-3456789abcde", "12345678/9abc/4def/8012/3456789abcde",
        "{2345678-9abc-4def-8012-3456789abcd}"}) {
    EXPECT_FALSE(IsUuid(text)) << text;
  }
}

}  // namespace
}  // namespace prewarm::juicefs
