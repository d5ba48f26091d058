#include "common/juicefs/block.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace prewarm::juicefs {
namespace {

TEST(BlockKey, HasThePlainSpelling) {
  EXPECT_EQ(BlockKey({SliceId(1234567), 2, 611392}, false), "chunks/1/1234/1234567_2_611392");
  EXPECT_EQ(BlockKey({SliceId(1), 0, 4}, false), "chunks/0/0/1_0_4");
}

TEST(BlockKey, HasTheHashedSpelling) {
  EXPECT_EQ(BlockKey({SliceId(1234567), 2, 611392}, true), "chunks/87/1/1234567_2_611392");
  EXPECT_EQ(BlockKey({SliceId(10), 0, 4}, true), "chunks/0A/0/10_0_4");
  EXPECT_EQ(BlockKey({SliceId(255), 0, 4}, true), "chunks/FF/0/255_0_4");
}

TEST(BlockKey, HasRoomForTheLargestNumbers) {
  constexpr auto kMax32 = std::numeric_limits<std::uint32_t>::max();
  EXPECT_EQ(BlockKey({SliceId(std::numeric_limits<std::uint64_t>::max()), kMax32, kMax32}, false),
            "chunks/18446744073709/18446744073709551/18446744073709551615_4294967295_4294967295");
}

TEST(ParseBlockName, ReadsBackWhatAKeyEndsIn) {
  for (const BlockId block : {BlockId{SliceId(1234567), 2, 611392}, BlockId{SliceId(1), 0, 1},
                              BlockId{SliceId(~0ULL), ~0U, ~0U}}) {
    const std::string key = BlockKey(block, true);
    EXPECT_EQ(ParseBlockName(key.substr(key.rfind('/') + 1)), block);
  }
}

TEST(ParseBlockName, RefusesEveryOtherName) {
  for (const char* name : {"",
                           "_",
                           "__",
                           "1",
                           "1_0",
                           "1_0_",
                           "_0_4",
                           "1__4",
                           "1_0_4_",
                           "1_0_4.tmp",
                           "1_0_4_5",
                           "01_0_4",
                           "1_00_4",
                           "1_0_04",
                           "1_0_0",
                           "0_0_4",
                           "-1_0_4",
                           "+1_0_4",
                           " 1_0_4",
                           "1_0_4 ",
                           "1_0_0x4",
                           "18446744073709551616_0_4",
                           "1_4294967296_4",
                           "1_0_4294967296",
                           "raw/1_0_4",
                           "1-0-4"}) {
    EXPECT_EQ(ParseBlockName(name), std::nullopt) << name;
  }
  EXPECT_EQ(ParseBlockName(std::string_view("1_0_4\0", 6)), std::nullopt);
}

}  // namespace
}  // namespace prewarm::juicefs
