#include "controller/demand/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace prewarm::controller::demand {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::int64_t kNanosPerUnit = 1'000'000'000;
constexpr auto kMaxUnits = std::numeric_limits<std::int64_t>::max();
constexpr Wide kMaxNanos = static_cast<Wide>(kMaxUnits) * kNanosPerUnit;
// What fits a word, and still does when it is shifted by an exbi.
constexpr std::size_t kMaxDigits = 19;

struct Scale {
  int decimal = 0;  // power of ten
  int binary = 0;   // power of two
};

struct Suffix {
  std::string_view name;
  Scale scale;
};
constexpr std::array<Suffix, 16> kSuffixes{{{"", {0, 0}},
                                            {"n", {-9, 0}},
                                            {"u", {-6, 0}},
                                            {"m", {-3, 0}},
                                            {"k", {3, 0}},
                                            {"M", {6, 0}},
                                            {"G", {9, 0}},
                                            {"T", {12, 0}},
                                            {"P", {15, 0}},
                                            {"E", {18, 0}},
                                            {"Ki", {0, 10}},
                                            {"Mi", {0, 20}},
                                            {"Gi", {0, 30}},
                                            {"Ti", {0, 40}},
                                            {"Pi", {0, 50}},
                                            {"Ei", {0, 60}}}};

std::optional<Scale> ScaleOf(std::string_view suffix) {
  for (const auto& known : kSuffixes) {
    if (known.name == suffix) return known.scale;
  }
  if (suffix.size() < 2 || (suffix.front() != 'e' && suffix.front() != 'E')) return std::nullopt;
  suffix.remove_prefix(suffix[1] == '+' ? 2 : 1);
  int exponent = 0;
  const auto [stop, error] =
      std::from_chars(suffix.data(), suffix.data() + suffix.size(), exponent);
  if (error != std::errc{} || stop != suffix.data() + suffix.size() || exponent > 1000 ||
      exponent < -1000) {
    return std::nullopt;
  }
  return Scale{exponent, 0};
}

// Digits and a point, read as digits * 10^exponent without the zeros at either end.
struct Decimal {
  std::uint64_t digits = 0;
  int exponent = 0;
};

std::optional<Decimal> ReadDecimal(std::string_view text) {
  const auto point = text.find('.');
  std::string digits(text.substr(0, point));
  int exponent = 0;
  if (point != std::string_view::npos) {
    const auto fraction = text.substr(point + 1);
    digits += fraction;
    exponent = -static_cast<int>(fraction.size());
  }
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  while (digits.size() > 1 && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.size() > kMaxDigits) return std::nullopt;
  Decimal decimal{0, exponent};
  for (const char digit : digits) {
    decimal.digits = decimal.digits * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return decimal;
}

// |value| in nanos, rounded up, at most kMaxNanos.
Wide Nanos(const Decimal& decimal, const Scale& scale) {
  if (decimal.digits == 0) return 0;
  Wide nanos = static_cast<Wide>(decimal.digits) << scale.binary;
  int power = decimal.exponent + scale.decimal + 9;
  for (; power > 0; --power) {
    if (nanos > kMaxNanos / 10) return kMaxNanos;
    nanos *= 10;
  }
  bool rest = false;
  for (; power < 0 && nanos > 0; ++power) {
    rest = rest || nanos % 10 != 0;
    nanos /= 10;
  }
  if (rest) ++nanos;
  return std::min(nanos, kMaxNanos);
}

}  // namespace

std::int64_t Quantity::CeilUnits() const {
  return nanos > 0 && units < kMaxUnits ? units + 1 : units;
}

std::int64_t Quantity::CeilMilli() const {
  constexpr std::int32_t kNanosPerMilli = 1'000'000;
  const std::int64_t part = (nanos + kNanosPerMilli - 1) / kNanosPerMilli;
  if (units >= kMaxUnits / 1000) return kMaxUnits;
  if (units <= -(kMaxUnits / 1000)) return -kMaxUnits;
  return units * 1000 + part;
}

double Quantity::ToDouble() const {
  return static_cast<double>(units) + static_cast<double>(nanos) / 1e9;
}

Result<Quantity> ParseQuantity(std::string_view text) {
  constexpr std::size_t kMaxText = 64;
  const auto wrong = [&] {
    if (text.size() > kMaxText) {
      return Fail(ErrorCode::kInvalidArgument,
                  "a text of " + std::to_string(text.size()) + " bytes is not a quantity");
    }
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(text) + "\" is not a quantity such as 500m or 16Gi");
  };
  if (text.empty() || text.size() > kMaxText) return wrong();
  const bool negative = text.front() == '-';
  const bool sign = negative || text.front() == '+';
  const auto number = text.substr(sign ? 1 : 0);
  const auto end = std::min(number.find_first_not_of("0123456789."), number.size());
  const auto decimal = ReadDecimal(number.substr(0, end));
  const auto scale = ScaleOf(number.substr(end));
  if (!decimal || !scale) return wrong();
  const auto nanos = Nanos(*decimal, *scale);
  const Quantity quantity{static_cast<std::int64_t>(nanos / kNanosPerUnit),
                          static_cast<std::int32_t>(nanos % kNanosPerUnit)};
  if (!negative) return quantity;
  if (quantity.nanos == 0) return Quantity{-quantity.units, 0};
  return Quantity{-quantity.units - 1, static_cast<std::int32_t>(kNanosPerUnit) - quantity.nanos};
}

}  // namespace prewarm::controller::demand
