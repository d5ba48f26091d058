#include "common/base/rfc3339.h"

#include <gtest/gtest.h>

#include <random>

namespace prewarm {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

WallTime At(nanoseconds since) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(since));
}

TEST(Rfc3339, WritesAsManyDigitsAsItTakes) {
  EXPECT_EQ(FormatRfc3339(At(seconds(0))), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatRfc3339(At(seconds(1'795'608'190))), "2026-11-25T12:03:10Z");
  EXPECT_EQ(FormatRfc3339(At(seconds(1'795'608'190) + milliseconds(500))),
            "2026-11-25T12:03:10.5Z");
  EXPECT_EQ(FormatRfc3339(At(seconds(1) + nanoseconds(70))), "1970-01-01T00:00:01.00000007Z");
}

TEST(Rfc3339, ReadsEveryFormOfTheSameTime) {
  const auto when = At(seconds(1'795'608'190));
  for (const auto* text :
       {"2026-11-25T12:03:10Z", "2026-11-25t12:03:10z", "2026-11-25 12:03:10Z",
        "2026-11-25T12:03:10.000Z", "2026-11-25T14:03:10+02:00", "2026-11-25T06:33:10-05:30",
        "2026-11-26T00:03:10+12:00", "2026-11-25T12:03:10.0000000009Z"}) {
    EXPECT_EQ(ParseRfc3339(text), when) << text;
  }
}

TEST(Rfc3339, ReadsWhatItWrites) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> nanos(0, 9'000'000'000'000'000'000);
  for (int round = 0; round < 10'000; ++round) {
    const auto when = At(nanoseconds(nanos(random)));
    EXPECT_EQ(ParseRfc3339(FormatRfc3339(when)), when) << FormatRfc3339(when);
  }
}

TEST(Rfc3339, KnowsTheCalendar) {
  EXPECT_TRUE(ParseRfc3339("2028-02-29T00:00:00Z"));
  EXPECT_EQ(*ParseRfc3339("2016-12-31T23:59:60Z"), *ParseRfc3339("2017-01-01T00:00:00Z"));
  for (const auto* text :
       {"2027-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-11-25T24:00:00Z", "2026-11-25T12:60:00Z",
        "2026-11-25T12:00:61Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00",
        "2262-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    EXPECT_FALSE(ParseRfc3339(text)) << text;
  }
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  for (const auto* text :
       {"", "now", "2026-11-25", "2026-11-25T12:03", "2026-11-25T12:03:10", "2026-11-25T12:03:10.Z",
        "2026-11-25T12:03:10Zx", "2026-11-25T12:03:10+2", "2026-11-25T12:03:10+24:00",
        "2026-11-25T12:03:10+02:60", "-026-11-25T12:03:10Z", "2026-1-25T12:03:10Z", "1795608190"}) {
    const auto time = ParseRfc3339(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace prewarm
