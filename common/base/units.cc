#include "common/base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>
#include <utility>

namespace prewarm {
namespace {

struct Number {
  double value;
  std::string_view rest;
};

// A leading decimal number without sign; the rest keeps the unit.
Result<Number> LeadingNumber(std::string_view text, std::string_view whole, const char* expected) {
  double value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || text.empty() || text.front() == '-') {
    return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(whole) + "\" is not " + expected);
  }
  return Number{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// 0 for "no prefix", -1 for an unknown one.
int PrefixPower(char c) {
  constexpr std::string_view kPrefixes = "KMGTPE";
  auto at = kPrefixes.find(Upper(c));
  return at == std::string_view::npos ? -1 : static_cast<int>(at) + 1;
}

}  // namespace

Result<std::uint64_t> ParseSize(std::string_view text, std::uint64_t bare_unit) {
  constexpr auto kExpected = "a size such as 512MiB, 100G or 4096";
  TRY(auto number, LeadingNumber(text, text, kExpected));
  auto unit = static_cast<double>(bare_unit);
  std::string_view rest = number.rest;
  if (!rest.empty()) {
    unit = 1;
    if (int power = PrefixPower(rest.front()); power > 0) {
      unit = std::ldexp(1.0, 10 * power);
      rest.remove_prefix(1);
      if (!rest.empty() && (rest.front() == 'i' || rest.front() == 'I')) rest.remove_prefix(1);
    }
    if (!rest.empty() && Upper(rest.front()) == 'B') rest.remove_prefix(1);
    if (!rest.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is not " + kExpected);
    }
  }
  double bytes = number.value * unit;
  if (!(bytes < std::ldexp(1.0, 63))) {
    return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is too large a size");
  }
  return static_cast<std::uint64_t>(bytes);
}

Result<std::uint64_t> ParseLinkRate(std::string_view text) {
  constexpr auto kExpected = "a rate in Mbit/s such as 200, 500M or 10G";
  TRY(auto number, LeadingNumber(text, text, kExpected));
  double unit = 1e6;
  std::string_view rest = number.rest;
  if (!rest.empty()) {
    const int power = rest == "bps" ? 0 : PrefixPower(rest.front());
    if (power < 0) {
      return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is not " + kExpected);
    }
    unit = std::pow(1000.0, power);
    if (power > 0) rest.remove_prefix(1);
    if (rest != "" && rest != "bps" && rest != "bit" && rest != "bit/s") {
      return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is not " + kExpected);
    }
  }
  double bytes = number.value * unit / 8;
  if (!(bytes < std::ldexp(1.0, 60))) {
    return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is too large a rate");
  }
  return static_cast<std::uint64_t>(bytes);
}

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  constexpr auto kExpected = "a duration such as 30s, 1h30m or 500ms";
  constexpr std::array<std::pair<std::string_view, double>, 7> kUnits{{{"ns", 1},
                                                                       {"us", 1e3},
                                                                       {"ms", 1e6},
                                                                       {"s", 1e9},
                                                                       {"m", 60e9},
                                                                       {"h", 3600e9},
                                                                       {"d", 86400e9}}};
  std::string_view rest = text;
  const bool negative = !rest.empty() && rest.front() == '-';
  if (negative) rest.remove_prefix(1);
  double total = 0;
  bool alone = true;  // "1h30" could mean two things: only a number by itself may go without a unit
  do {
    TRY(auto number, LeadingNumber(rest, text, kExpected));
    rest = number.rest;
    const std::string_view unit = rest.substr(0, rest.find_first_of("0123456789."));
    double scale = alone && rest.empty() ? 1e9 : 0;
    alone = false;
    for (const auto& [name, nanoseconds] : kUnits) {
      if (unit == name) scale = nanoseconds;
    }
    if (scale == 0) {
      return Fail(ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is not " + kExpected);
    }
    total += number.value * scale;
    rest.remove_prefix(unit.size());
  } while (!rest.empty());
  if (!(total < static_cast<double>(std::numeric_limits<std::int64_t>::max()))) {
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(text) + "\" is too long a duration");
  }
  const auto value = static_cast<std::int64_t>(total);
  return std::chrono::nanoseconds(negative ? -value : value);
}

std::string ExactSize(std::uint64_t bytes) {
  constexpr std::array<const char*, 7> kNames{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kNames.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kNames.at(unit);
}

std::string ExactLinkRate(std::uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return "0";
  std::uint64_t bits = bytes_per_second * 8;
  constexpr std::array<const char*, 7> kNames{"bps", "K", "M", "G", "T", "P", "E"};
  std::size_t unit = 0;
  while (bits % 1000 == 0 && unit + 1 < kNames.size()) {
    bits /= 1000;
    ++unit;
  }
  return std::to_string(bits) + kNames.at(unit);
}

std::string ExactDuration(std::chrono::nanoseconds value) {
  constexpr std::array<std::pair<const char*, std::int64_t>, 7> kUnits{{{"d", 86'400'000'000'000},
                                                                        {"h", 3'600'000'000'000},
                                                                        {"m", 60'000'000'000},
                                                                        {"s", 1'000'000'000},
                                                                        {"ms", 1'000'000},
                                                                        {"us", 1'000},
                                                                        {"ns", 1}}};
  if (value < std::chrono::nanoseconds::zero()) return "-" + ExactDuration(-value);
  if (value == std::chrono::nanoseconds::zero()) return "0s";
  std::int64_t rest = value.count();
  std::string text;
  for (const auto& [name, scale] : kUnits) {
    if (rest >= scale) text += std::to_string(rest / scale) + name;
    rest %= scale;
  }
  return text;
}

std::string FormatBytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 7> kNames{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // From 1023.5 on, because that would print as 1024 of the smaller unit.
  while (value >= 1023.5 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  const int digits = unit == 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  std::snprintf(text.data(), text.size(), "%.*f %s", digits, value, kNames.at(unit));
  return text.data();
}

std::string FormatDuration(std::chrono::nanoseconds value) {
  std::array<char, 48> text{};
  const double seconds = std::chrono::duration<double>(value).count();
  if (seconds < 0) return "-" + FormatDuration(-value);
  // The borders lie where the smaller unit would round up to a whole larger one.
  if (seconds < 0.9995) {
    std::snprintf(text.data(), text.size(), "%.0f ms", seconds * 1e3);
  } else if (seconds < 59.95) {
    std::snprintf(text.data(), text.size(), "%.1f s", seconds);
  } else if (const long long whole = std::llround(seconds); whole < 3600) {
    std::snprintf(text.data(), text.size(), "%lld min %02lld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%lld h %02lld min", whole / 3600, whole / 60 % 60);
  }
  return text.data();
}

std::string FormatCount(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string FormatClockTime(std::chrono::system_clock::time_point when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm local{};
  localtime_r(&seconds, &local);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%H:%M:%S", &local);
  return text.data();
}

}  // namespace prewarm
