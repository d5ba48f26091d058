#include "common/juicefs/hash.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/juicefs/block.h"
#include "common/juicefs/hash_ring.h"

namespace prewarm::juicefs {
namespace {

struct HashVector {
  const char* input;
  std::uint32_t murmur3;
  std::uint32_t fnv1;
  std::uint32_t fnv1a;
};
// Made by the packages that the JuiceFS client uses.
constexpr HashVector kVectors[] = {
    {"hello", 613153351U, 3069866343U, 1335831723U},
    {"chunks/0/0/1_0_4", 2679112819U, 2853834139U, 3098425539U},
    {"chunks/0/1/1234_0_4194304", 2610208417U, 2056260644U, 1891538422U},
};

TEST(Hash, AgreesWithTheClientsHashes) {
  for (const HashVector& vector : kVectors) {
    EXPECT_EQ(Murmur3_32(vector.input), vector.murmur3) << vector.input;
    EXPECT_EQ(Fnv1_32(vector.input), vector.fnv1) << vector.input;
    EXPECT_EQ(Fnv1a_32(vector.input), vector.fnv1a) << vector.input;
  }
}

TEST(Hash, Murmur3HandlesEveryLengthOfTail) {
  // Published vectors of the x86 32-bit variant with seed 0.
  EXPECT_EQ(Murmur3_32(""), 0U);
  EXPECT_EQ(Murmur3_32(std::string_view("\x21", 1)), 0x72661CF4U);
  EXPECT_EQ(Murmur3_32(std::string_view("\x21\x43", 2)), 0xA0F7B07AU);
  EXPECT_EQ(Murmur3_32(std::string_view("\x21\x43\x65", 3)), 0x7E4A8634U);
  EXPECT_EQ(Murmur3_32(std::string_view("\x21\x43\x65\x87", 4)), 0xF55B516BU);
  EXPECT_EQ(Murmur3_32(std::string_view("\xff\xff\xff\xff", 4)), 0x76293B50U);
}

const std::vector<std::string> kThreeIds{"11111111-1111-1111-1111-111111111111",
                                         "22222222-2222-2222-2222-222222222222",
                                         "33333333-3333-3333-3333-333333333333"};

// The owners of the first blocks of slices 1 to 64, one digit each.
std::string Picks(const std::vector<std::string>& ids) {
  const HashRing ring(ids);
  std::string picks;
  for (std::uint64_t slice = 1; slice <= 64; ++slice) {
    const std::string key = BlockKey({SliceId(slice), 0, 4194304}, false);
    picks.push_back(static_cast<char>('0' + ring.Owner(key)));
  }
  return picks;
}

TEST(HashRing, SpreadsOverTwoDirectoriesAsTheClientDoes) {
  EXPECT_EQ(Picks({kThreeIds[0], kThreeIds[1]}),
            "0101100001001110110010110010010010011010000100100111110100001001");
}

TEST(HashRing, SpreadsOverThreeDirectoriesAsTheClientDoes) {
  EXPECT_EQ(Picks(kThreeIds), "0121102202001112112212220012212012011210200100100111122100021021");
}

TEST(HashRing, SpreadsOverFourDirectoriesAsTheClientDoes) {
  EXPECT_EQ(Picks({"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "b9c8d7e6-f5a4-4321-9abc-def012345678",
                   "7a1b2c3d-0000-4e5f-8000-123456789abc", "deadbeef-dead-4bee-8fde-addeadbeefde"}),
            "1123200330033013201123120321122031023101311010221300021212203212");
}

TEST(HashRing, GivesEverythingToASingleDirectory) {
  EXPECT_EQ(Picks({"any"}), std::string(64, '0'));
}

TEST(HashRing, DependsOnTheSetOfIdsAndNotOnTheirOrder) {
  const HashRing forward(kThreeIds);
  const std::vector<std::string> reversed(kThreeIds.rbegin(), kThreeIds.rend());
  const HashRing backward(reversed);
  for (std::uint64_t slice = 1; slice <= 2000; ++slice) {
    const std::string key = BlockKey({SliceId(slice), 7, 65536}, true);
    EXPECT_EQ(kThreeIds[forward.Owner(key)], reversed[backward.Owner(key)]) << key;
  }
}

TEST(HashRing, AnswersEvenWhereRebalancingRemovesEveryReplica) {
  const HashRing ring(std::vector<std::string>(5, "the same id"));
  EXPECT_LT(ring.Owner("chunks/0/0/1_0_4"), 5U);
}

}  // namespace
}  // namespace prewarm::juicefs
