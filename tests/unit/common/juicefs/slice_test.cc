#include "common/juicefs/slice.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <random>
#include <utility>

#include "tests/unit/common/juicefs/bytes.h"

namespace prewarm::juicefs {
namespace {

SliceRecord Record(std::uint32_t position, std::uint64_t id, std::uint32_t size,
                   std::uint32_t offset, std::uint32_t length) {
  return {position, SliceId(id), size, offset, length};
}

std::string Encoded(const SliceRecord& record) {
  std::array<char, 49> hex{};
  std::snprintf(hex.data(), hex.size(), "%08x%016llx%08x%08x%08x", record.position,
                static_cast<unsigned long long>(record.id.value), record.size, record.offset,
                record.length);
  return FromHex(hex.data());
}

TEST(SliceRecord, ReadsTheClientsRecord) {
  const auto record = ParseSliceRecord(FromHex("00100000000000000012d6870089544000001000004c4b40"));
  ASSERT_TRUE(record);
  EXPECT_EQ(*record, Record(0x100000, 1234567, 9'000'000, 4096, 5'000'000));
}

TEST(SliceRecord, MayFillItsChunkAndItsSliceToTheLastByte) {
  const auto whole = Record(0, 1, 64 << 20, 0, 64 << 20);
  const auto tail = Record((64 << 20) - 1, 1, 10, 9, 1);
  for (const SliceRecord& record : {whole, tail}) {
    const auto parsed = ParseSliceRecord(Encoded(record));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, record);
  }
}

TEST(SliceRecord, HoleHasNoSliceToStayInside) {
  const auto parsed = ParseSliceRecord(Encoded(Record(100, 0, 0, 0, 5000)));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, Record(100, 0, 0, 0, 5000));
}

TEST(SliceRecord, RefusesWhatLeavesChunkOrSlice) {
  for (const SliceRecord& record :
       {Record((64 << 20) - 1, 1, 10, 0, 2), Record(~0U, 1, ~0U, 0, ~0U), Record(0, 1, 10, 0, 11),
        Record(0, 1, 10, 10, 1), Record(0, 1, 10, ~0U, ~0U), Record((64 << 20) - 1, 0, 0, 0, 2)}) {
    const auto parsed = ParseSliceRecord(Encoded(record));
    ASSERT_FALSE(parsed) << testing::PrintToString(Encoded(record));
    EXPECT_EQ(parsed.error().code, ErrorCode::kCorrupt);
  }
}

TEST(SliceRecord, RefusesEveryOtherLength) {
  const std::string value = Encoded(Record(0, 1, 10, 0, 10));
  for (std::size_t length = 0; length < value.size(); ++length) {
    EXPECT_FALSE(ParseSliceRecord(std::string_view(value).substr(0, length))) << length;
  }
  EXPECT_FALSE(ParseSliceRecord(value + '\0'));
}

TEST(VisibleSegments, CutsAnEarlierSliceInTwo) {
  const std::vector records{Record(0, 5, 1000, 0, 1000), Record(200, 6, 100, 0, 100)};
  EXPECT_EQ(VisibleSegments(records, 1000),
            (std::vector{Record(0, 5, 1000, 0, 200), Record(200, 6, 100, 0, 100),
                         Record(300, 5, 1000, 300, 700)}));
}

TEST(VisibleSegments, LeavesOutHolesAndWhatTheyCover) {
  const std::vector records{Record(0, 5, 1000, 0, 1000), Record(0, 0, 0, 0, 10),
                            Record(990, 0, 0, 0, 500)};
  EXPECT_EQ(VisibleSegments(records, 2000), (std::vector{Record(10, 5, 1000, 10, 980)}));
}

TEST(VisibleSegments, EndsWithTheFile) {
  const std::vector records{Record(0, 5, 1000, 0, 1000), Record(1000, 6, 1000, 500, 500)};
  EXPECT_EQ(VisibleSegments(records, 1001),
            (std::vector{Record(0, 5, 1000, 0, 1000), Record(1000, 6, 1000, 500, 1)}));
  EXPECT_EQ(VisibleSegments(records, 1000), (std::vector{Record(0, 5, 1000, 0, 1000)}));
  EXPECT_EQ(VisibleSegments(records, 1), (std::vector{Record(0, 5, 1000, 0, 1)}));
  EXPECT_TRUE(VisibleSegments(records, 0).empty());
  EXPECT_TRUE(VisibleSegments({}, 1000).empty());
}

TEST(VisibleSegments, NeverLeavesTheChunk) {
  const std::vector records{Record(0, 5, 64 << 20, 0, 64 << 20)};
  EXPECT_EQ(VisibleSegments(records, ~0ULL), records);
}

// The definition of the overlay: every record paints its bytes, one by one, in list order.
constexpr std::uint32_t kModelBytes = 4096;
using Paint = std::pair<std::uint64_t, std::uint64_t>;  // slice, byte of the slice
using Canvas = std::array<Paint, kModelBytes>;

void PaintOn(Canvas& canvas, const SliceRecord& record) {
  for (std::uint32_t i = 0; i < record.length && record.position + i < kModelBytes; ++i) {
    canvas[record.position + i] =
        record.id.value == 0 ? Paint{} : Paint{record.id.value, record.offset + i};
  }
}

class RandomChunk {
 public:
  explicit RandomChunk(std::uint64_t seed) : random_(seed) {}

  std::vector<SliceRecord> Records() {
    std::vector<SliceRecord> records(Below(20));
    const std::uint32_t longest = Below(4) == 0 ? kModelBytes : 300;
    for (SliceRecord& record : records) {
      record.position = Below(kModelBytes);
      record.length = std::min(Below(longest + 1), kModelBytes - record.position);
      record.id = SliceId(Below(5) == 0 ? 0 : 1 + Below(8));
      record.offset = Below(100);
      record.size = record.offset + record.length + Below(100);
    }
    return records;
  }
  std::uint32_t Below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

 private:
  std::mt19937_64 random_;
};

void ExpectDisjointAscendingWithin(const std::vector<SliceRecord>& segments, std::uint64_t limit) {
  std::uint64_t end = 0;
  for (const SliceRecord& segment : segments) {
    EXPECT_GE(segment.position, end);
    EXPECT_GT(segment.length, 0U);
    EXPECT_NE(segment.id.value, 0U);
    EXPECT_LE(std::uint64_t{segment.offset} + segment.length, segment.size);
    end = std::uint64_t{segment.position} + segment.length;
  }
  EXPECT_LE(end, limit);
}

TEST(VisibleSegments, AgreesWithPaintingByteByByte) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomChunk chunk(seed);
  for (int round = 0; round < 10'000 && !testing::Test::HasFailure(); ++round) {
    const auto records = chunk.Records();
    const std::uint32_t length = chunk.Below(2) == 0 ? kModelBytes : chunk.Below(kModelBytes + 1);
    Canvas expected{};
    for (const SliceRecord& record : records) PaintOn(expected, record);
    std::fill(expected.begin() + length, expected.end(), Paint{});

    const auto segments = VisibleSegments(records, length);
    ExpectDisjointAscendingWithin(segments, length);
    Canvas seen{};
    for (const SliceRecord& segment : segments) PaintOn(seen, segment);
    EXPECT_EQ(seen, expected) << "round " << round;
  }
}

TEST(VisibleSegments, OverlaysAHundredThousandRecordsQuickly) {
  std::mt19937_64 random(7);
  std::vector<SliceRecord> records(100'000);
  for (SliceRecord& record : records) {
    record.position = static_cast<std::uint32_t>(random() % (kChunkBytes - 4096));
    record.length = 1 + static_cast<std::uint32_t>(random() % 4096);
    record.id = SliceId(1 + random() % 1000);
    record.size = record.length;
  }
  const auto start = std::chrono::steady_clock::now();
  const auto segments = VisibleSegments(records, kChunkBytes);
  // A quadratic overlay takes minutes; the bound leaves room for sanitizers and loaded machines.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_GT(segments.size(), 10'000U);
  ExpectDisjointAscendingWithin(segments, kChunkBytes);
}

constexpr std::uint32_t kBlock = 4 << 20;

TEST(BlocksOf, NamesOnlyTheBlocksThatTheSegmentTouches) {
  EXPECT_EQ(BlocksOf(Record(0, 9, 9'000'000, 0, 9'000'000), kBlock),
            (BlockRange{SliceId(9), 9'000'000, 0, 2}));
  EXPECT_EQ(BlocksOf(Record(0, 9, 9'000'000, kBlock - 1, 2), kBlock),
            (BlockRange{SliceId(9), 9'000'000, 0, 1}));
  EXPECT_EQ(BlocksOf(Record(0, 9, 9'000'000, kBlock, 1), kBlock),
            (BlockRange{SliceId(9), 9'000'000, 1, 1}));
  EXPECT_EQ(BlocksOf(Record(0, 9, 9'000'000, 0, kBlock), kBlock),
            (BlockRange{SliceId(9), 9'000'000, 0, 0}));
  EXPECT_EQ(BlocksOf(Record(0, 9, 64 << 20, (64 << 20) - 1, 1), 65536),
            (BlockRange{SliceId(9), 64 << 20, 1023, 1023}));
}

TEST(BlockOf, IsWholeButForTheLastOfItsSlice) {
  EXPECT_EQ(BlockOf(SliceId(9), 9'000'000, 0, kBlock), (BlockId{SliceId(9), 0, kBlock}));
  EXPECT_EQ(BlockOf(SliceId(9), 9'000'000, 2, kBlock), (BlockId{SliceId(9), 2, 611'392}));
  EXPECT_EQ(BlockOf(SliceId(9), 2 * kBlock, 1, kBlock), (BlockId{SliceId(9), 1, kBlock}));
  EXPECT_EQ(BlockOf(SliceId(9), 1, 0, kBlock), (BlockId{SliceId(9), 0, 1}));
}

TEST(BlockOfDeathTest, EndsTheProgramBehindTheEndOfTheSlice) {
  EXPECT_DEATH(static_cast<void>(BlockOf(SliceId(9), 2 * kBlock, 2, kBlock)), "broken invariant");
}

}  // namespace
}  // namespace prewarm::juicefs
