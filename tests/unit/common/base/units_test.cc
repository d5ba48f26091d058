#include "common/base/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>

namespace prewarm {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;
using std::chrono_literals::operator""ns;
using testing::HasSubstr;

TEST(ParseSize, CountsInPowersOf1024UnderEverySpelling) {
  for (const char* text :
       {"4MiB", "4M", "4m", "4MB", "4mb", "4mib", "4096K", "4194304", "4194304B"}) {
    ASSERT_TRUE(ParseSize(text)) << text;
    EXPECT_EQ(*ParseSize(text), 4_MiB) << text;
  }
  EXPECT_EQ(*ParseSize("0"), 0U);
  EXPECT_EQ(*ParseSize("1.5G"), 1536_MiB);
  EXPECT_EQ(*ParseSize("2T"), 2048_GiB);
  EXPECT_EQ(*ParseSize("1P"), 1ULL << 50);
  EXPECT_EQ(*ParseSize("1E"), 1ULL << 60);
}

TEST(ParseSize, CountsABareNumberInTheUnitOfTheOption) {
  EXPECT_EQ(*ParseSize("100", 1_MiB), 100_MiB);
  EXPECT_EQ(*ParseSize("100K", 1_MiB), 100_KiB);
  EXPECT_EQ(*ParseSize("100B", 1_MiB), 100U);
}

TEST(ExactTexts, ParseBackToTheValue) {
  for (const std::uint64_t value :
       {0ULL, 1ULL, 1023ULL, 1024ULL, 1536ULL << 20, (1ULL << 53) - 1}) {
    EXPECT_EQ(*ParseSize(ExactSize(value), 1_MiB), value) << ExactSize(value);
  }
  for (const std::uint64_t value : {0ULL, 1ULL, 125ULL, 25'000'000ULL, 1'250'000'001ULL}) {
    EXPECT_EQ(*ParseLinkRate(ExactLinkRate(value)), value) << ExactLinkRate(value);
  }
  for (const std::chrono::nanoseconds value :
       {0ns, 1ns, 1'000'001ns, std::chrono::nanoseconds(90s), std::chrono::nanoseconds(49h + 3ms),
        std::chrono::nanoseconds(-90s)}) {
    EXPECT_EQ(*ParseDuration(ExactDuration(value)), value) << ExactDuration(value);
  }
  EXPECT_EQ(ExactSize(100_GiB), "100GiB");
  EXPECT_EQ(ExactLinkRate(100'000'000), "800M");
  EXPECT_EQ(ExactDuration(90s), "1m30s");
}

TEST(ParseSize, QuotesWhatItRefuses) {
  for (const char* text : {"", " ", "M", "-1", "-4M", "4X", "4MiBs", "4 MiB", "4M4", "1e6", "0x10",
                           "4iB", "inf", "nan", "8E", "99999999999999999999"}) {
    const auto size = ParseSize(text);
    ASSERT_FALSE(size) << text;
    EXPECT_EQ(size.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(size.error().message, HasSubstr("\"" + std::string(text) + "\""));
  }
}

TEST(ParseLinkRate, CountsInPowersOf1000Bits) {
  EXPECT_EQ(*ParseLinkRate("0"), 0U);
  EXPECT_EQ(*ParseLinkRate("200"), 25'000'000U);
  EXPECT_EQ(*ParseLinkRate("500M"), 62'500'000U);
  EXPECT_EQ(*ParseLinkRate("10G"), 1'250'000'000U);
  EXPECT_EQ(*ParseLinkRate("1.5Gbps"), 187'500'000U);
  EXPECT_EQ(*ParseLinkRate("8Kbit/s"), 1000U);
}

TEST(ParseLinkRate, QuotesWhatItRefuses) {
  for (const char* text : {"", "-1", "10X", "10GB", "10 G", "fast", "1e300"}) {
    const auto rate = ParseLinkRate(text);
    ASSERT_FALSE(rate) << text;
    EXPECT_EQ(rate.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(rate.error().message, HasSubstr("\"" + std::string(text) + "\""));
  }
}

TEST(ParseDuration, AddsUpItsParts) {
  EXPECT_EQ(*ParseDuration("30s"), 30s);
  EXPECT_EQ(*ParseDuration("1h30m"), 90min);
  EXPECT_EQ(*ParseDuration("500ms"), 500ms);
  EXPECT_EQ(*ParseDuration("2d"), 48h);
  EXPECT_EQ(*ParseDuration("1.5s"), 1500ms);
  EXPECT_EQ(*ParseDuration("3us7ns"), 3us + 7ns);
}

TEST(ParseDuration, CountsABareNumberInSeconds) {
  EXPECT_EQ(*ParseDuration("10"), 10s);
  EXPECT_EQ(*ParseDuration("0"), 0s);
  EXPECT_EQ(*ParseDuration("-1"), -1s);
  EXPECT_EQ(*ParseDuration("-1h30m"), -90min);
}

TEST(ParseDuration, QuotesWhatItRefuses) {
  for (const char* text : {"", "-", "s", "10x", "10 s", "1h-5m", "--1", "1h30", "1e3", "inf", "nan",
                           "9999999999999d"}) {
    const auto duration = ParseDuration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(duration.error().message, HasSubstr("\"" + std::string(text) + "\""));
  }
}

TEST(FormatBytes, KeepsThreeDigits) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.00 KiB");
  EXPECT_EQ(FormatBytes(1536_MiB), "1.50 GiB");
  EXPECT_EQ(FormatBytes(15_MiB + 512_KiB), "15.5 MiB");
  EXPECT_EQ(FormatBytes(512_MiB), "512 MiB");
  EXPECT_EQ(FormatBytes(~0ULL), "16.0 EiB");
}

TEST(FormatBytes, NeverRoundsUpTo1024OfAUnit) {
  EXPECT_EQ(FormatBytes(1_MiB - 1), "1.00 MiB");
  EXPECT_EQ(FormatBytes(1_GiB - 1), "1.00 GiB");
  EXPECT_EQ(FormatBytes(1023_KiB), "1023 KiB");
}

TEST(FormatDuration, PicksTheUnitThatFits) {
  EXPECT_EQ(FormatDuration(0s), "0 ms");
  EXPECT_EQ(FormatDuration(15ms), "15 ms");
  EXPECT_EQ(FormatDuration(3200ms), "3.2 s");
  EXPECT_EQ(FormatDuration(65s), "1 min 05 s");
  EXPECT_EQ(FormatDuration(62min), "1 h 02 min");
  EXPECT_EQ(FormatDuration(100h), "100 h 00 min");
  EXPECT_EQ(FormatDuration(-15ms), "-15 ms");
}

TEST(FormatDuration, NeverRoundsUpToAWholeNextUnit) {
  EXPECT_EQ(FormatDuration(999'700us), "1.0 s");
  EXPECT_EQ(FormatDuration(59'970ms), "1 min 00 s");
  EXPECT_EQ(FormatDuration(119'600ms), "2 min 00 s");
}

TEST(FormatCount, GroupsByThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(12'345), "12,345");
  EXPECT_EQ(FormatCount(1'234'567), "1,234,567");
}

TEST(FormatClockTime, IsLocalTime) {
  std::tm parts{};
  parts.tm_year = 126;
  parts.tm_mday = 5;
  parts.tm_hour = 14;
  parts.tm_min = 32;
  parts.tm_sec = 5;
  parts.tm_isdst = -1;
  const std::time_t seconds = std::mktime(&parts);  // takes local time
  EXPECT_EQ(FormatClockTime(std::chrono::system_clock::from_time_t(seconds)), "14:32:05");
}

}  // namespace
}  // namespace prewarm
