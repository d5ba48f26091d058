#include "common/juicefs/trailer.h"

#include <gtest/gtest.h>

#include <boost/crc.hpp>
#include <random>

#include "tests/unit/common/juicefs/bytes.h"

namespace prewarm::juicefs {
namespace {

std::uint32_t OracleCrc(std::span<const std::byte> bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return static_cast<std::uint32_t>(crc.checksum());
}

std::vector<std::byte> Pattern(std::size_t length) {
  std::vector<std::byte> data(length);
  for (std::size_t i = 0; i < length; ++i) data[i] = static_cast<std::byte>(31 * i + 7);
  return data;
}

std::vector<std::byte> TrailerOf(std::span<const std::byte> data) {
  std::vector<std::byte> trailer(TrailerBytes(data.size()));
  WriteTrailer(data, trailer);
  return trailer;
}

TEST(Crc32c, HasTheCommonValues) {
  EXPECT_EQ(Crc32c(Bytes("123456789")), 0xe3069283U);
  EXPECT_EQ(Crc32c(Bytes("abcd")), 0x92c80a31U);
  EXPECT_EQ(Crc32c({}), 0U);
}

TEST(Crc32c, ContinuesWhereItStopped) {
  const auto data = Pattern(1000);
  const auto all = std::span<const std::byte>(data);
  for (std::size_t cut = 0; cut <= data.size(); cut += 37) {
    EXPECT_EQ(Crc32c(all.subspan(cut), Crc32c(all.first(cut))), Crc32c(all)) << cut;
  }
}

TEST(Crc32c, AgreesWithAnotherImplementation) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::byte> data(random() % 3000);
    for (std::byte& byte : data) byte = static_cast<std::byte>(random());
    EXPECT_EQ(Crc32c(data), OracleCrc(data)) << data.size();
  }
}

TEST(Trailer, IsWhatTheClientWrites) {
  EXPECT_EQ(Text(TrailerOf(Pattern(100'000))), FromHex("942d92cf942d92cf942d92cf8e630a3a"));
}

TEST(Trailer, HasFourBytesForEveryBegunPiece) {
  EXPECT_EQ(TrailerBytes(0), 0U);
  EXPECT_EQ(TrailerBytes(1), 4U);
  EXPECT_EQ(TrailerBytes(32768), 4U);
  EXPECT_EQ(TrailerBytes(32769), 8U);
  EXPECT_EQ(TrailerBytes(4 << 20), 512U);
}

TEST(Trailer, AgreesWithAnotherImplementationAtEveryBorder) {
  for (const std::size_t length : {1UL, 32767UL, 32768UL, 32769UL, 65536UL, 100'001UL}) {
    const auto data = Pattern(length);
    std::string expected;
    for (std::size_t at = 0; at < length; at += 32768) {
      const auto crc = OracleCrc(std::span(data).subspan(at, std::min(length - at, 32768UL)));
      for (unsigned shift : {24U, 16U, 8U, 0U}) expected.push_back(static_cast<char>(crc >> shift));
    }
    EXPECT_EQ(Text(TrailerOf(data)), expected) << length;
    EXPECT_TRUE(CheckTrailer(data, TrailerOf(data)).empty());
  }
}

TEST(Trailer, LeavesTheRestOfTheBufferAlone) {
  std::vector<std::byte> room(12, std::byte{0x5a});
  WriteTrailer(Pattern(100), room);
  EXPECT_EQ(Text(std::span(room).subspan(4)), std::string(8, '\x5a'));
}

TEST(Trailer, NamesThePieceThatIsDamaged) {
  const auto data = Pattern(100'000);
  const auto trailer = TrailerOf(data);

  auto flipped_data = data;
  flipped_data[40'000] ^= std::byte{0x10};
  auto mismatches = CheckTrailer(flipped_data, trailer);
  ASSERT_EQ(mismatches.size(), 1U);
  EXPECT_EQ(mismatches[0].piece, 1U);
  EXPECT_EQ(mismatches[0].stored, 0x942d92cfU);
  EXPECT_EQ(mismatches[0].computed, OracleCrc(std::span(flipped_data).subspan(32768, 32768)));

  auto flipped_trailer = trailer;
  flipped_trailer[15] ^= std::byte{0x01};
  mismatches = CheckTrailer(data, flipped_trailer);
  ASSERT_EQ(mismatches.size(), 1U);
  EXPECT_EQ(mismatches[0].piece, 3U);
  EXPECT_EQ(mismatches[0].stored, 0x8e630a3bU);
  EXPECT_EQ(mismatches[0].computed, 0x8e630a3aU);
}

}  // namespace
}  // namespace prewarm::juicefs
