// Kubernetes quantities, exactly.
#include "controller/demand/quantity.h"

#include <gtest/gtest.h>

#include <limits>

namespace prewarm::controller::demand {
namespace {

constexpr auto kMost = std::numeric_limits<std::int64_t>::max();

Quantity Of(std::string_view text) {
  auto quantity = ParseQuantity(text);
  EXPECT_TRUE(quantity) << text;
  return quantity.value_or(Quantity{-1, -1});
}

TEST(Quantities, AreReadAsKubernetesWritesThem) {
  EXPECT_EQ(Of("0"), (Quantity{0, 0}));
  EXPECT_EQ(Of("500m"), (Quantity{0, 500'000'000}));
  EXPECT_EQ(Of("1500m"), (Quantity{1, 500'000'000}));
  EXPECT_EQ(Of("16Gi"), (Quantity{std::int64_t{16} << 30, 0}));
  EXPECT_EQ(Of("1e3"), (Quantity{1000, 0}));
  EXPECT_EQ(Of("1E3"), (Quantity{1000, 0}));
  EXPECT_EQ(Of("12e-1"), (Quantity{1, 200'000'000}));
  EXPECT_EQ(Of("1e+2"), (Quantity{100, 0}));
  EXPECT_EQ(Of("2E"), (Quantity{2'000'000'000'000'000'000, 0}));
  EXPECT_EQ(Of("1.5Gi"), (Quantity{std::int64_t{3} << 29, 0}));
  EXPECT_EQ(Of("128974848"), (Quantity{128'974'848, 0}));
  EXPECT_EQ(Of("129M"), (Quantity{129'000'000, 0}));
  EXPECT_EQ(Of("128974848000m"), (Quantity{128'974'848, 0}));
  EXPECT_EQ(Of("123Mi"), (Quantity{std::int64_t{123} << 20, 0}));
  EXPECT_EQ(Of("3u"), (Quantity{0, 3000}));
  EXPECT_EQ(Of("7n"), (Quantity{0, 7}));
  EXPECT_EQ(Of("+5"), (Quantity{5, 0}));
  EXPECT_EQ(Of(".5"), (Quantity{0, 500'000'000}));
  EXPECT_EQ(Of("5."), (Quantity{5, 0}));
  EXPECT_EQ(Of("0.10"), (Quantity{0, 100'000'000}));
}

TEST(Quantities, RoundWhatIsFinerThanANanoAwayFromZero) {
  EXPECT_EQ(Of("0.1n"), (Quantity{0, 1}));
  EXPECT_EQ(Of("1.0000000001"), (Quantity{1, 1}));
  EXPECT_EQ(Of("-0.5"), (Quantity{-1, 500'000'000}));
  EXPECT_EQ(Of("-2"), (Quantity{-2, 0}));
}

TEST(Quantities, StopAtTheLargestNumber) {
  EXPECT_EQ(Of("9223372036854775807"), (Quantity{kMost, 0}));
  EXPECT_EQ(Of("8Ei").units, kMost);
  EXPECT_EQ(Of("1e999").units, kMost);
  EXPECT_EQ(Of("100000000000000000000").units, kMost);
  EXPECT_EQ(Of("1e-999"), (Quantity{0, 1}));
}

TEST(Quantities, CountInTheSchedulersUnitsRoundedUp) {
  EXPECT_EQ(Of("100m").CeilMilli(), 100);
  EXPECT_EQ(Of("1").CeilMilli(), 1000);
  EXPECT_EQ(Of("1u").CeilMilli(), 1);
  EXPECT_EQ(Of("8Ei").CeilMilli(), kMost);
  EXPECT_EQ(Of("1500m").CeilUnits(), 2);
  EXPECT_EQ(Of("16Gi").CeilUnits(), std::int64_t{16} << 30);
  EXPECT_DOUBLE_EQ(Of("1250m").ToDouble(), 1.25);
}

TEST(Quantities, CompareExactly) {
  EXPECT_LT(Of("999999999n"), Of("1"));
  EXPECT_LT(Of("1G"), Of("1Gi"));
  EXPECT_EQ(Of("1024Mi"), Of("1Gi"));
}

TEST(Quantities, AreRefusedWhereTheyAreNone) {
  for (const auto* text :
       {"",     " ",      "abc", "1x",   "1Kib", "--1",   "1e",    "1ee3",
        "1 Gi", "1,5",    ".",   "1..2", "0x10", "1e3.5", "1.2.3", "12345678901234567890123",
        "NaN",  "1e2000", "Gi",  "1ki"}) {
    const auto quantity = ParseQuantity(text);
    EXPECT_FALSE(quantity) << text;
    if (!quantity) EXPECT_EQ(quantity.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(ParseQuantity(std::string(100'000, '1')));
}

}  // namespace
}  // namespace prewarm::controller::demand
