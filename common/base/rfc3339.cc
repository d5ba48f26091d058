#include "common/base/rfc3339.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <optional>

namespace prewarm {
namespace {

using std::chrono::days;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::sys_days;

constexpr int kLastYear = 2261;  // what 64 bits of nanoseconds hold

Error NotATime(std::string_view text) {
  return Fail(ErrorCode::kInvalidArgument,
              "\"" + std::string(text.substr(0, 64)) +
                  "\" is not a time such as 2026-11-25T12:03:10Z, from 1970 to 2261");
}

// Reads from the front of a text; a step that does not fit makes all the following ones fail.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  int Digits(std::size_t count) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value * 10 + Digit();
    return value;
  }
  void OneOf(std::string_view choices) {
    if (!text_.empty() && choices.find(text_.front()) != std::string_view::npos) {
      text_.remove_prefix(1);
    } else {
      failed_ = true;
    }
  }
  [[nodiscard]] bool Next(char c) const { return text_.starts_with(c); }
  [[nodiscard]] bool NextIsDigit() const {
    return !text_.empty() && text_.front() >= '0' && text_.front() <= '9';
  }
  [[nodiscard]] bool Done() const { return !failed_ && text_.empty(); }

 private:
  int Digit() {
    if (!NextIsDigit()) {
      failed_ = true;
      return 0;
    }
    const int digit = text_.front() - '0';
    text_.remove_prefix(1);
    return digit;
  }

  std::string_view text_;
  bool failed_ = false;
};

// Digits after the point; those beyond nanoseconds do not count.
nanoseconds Fraction(Scanner& scan) {
  scan.OneOf(".");
  std::int64_t nanos = scan.Digits(1);
  int digits = 1;
  for (; scan.NextIsDigit(); ++digits) {
    const int digit = scan.Digits(1);
    if (digits < 9) nanos = nanos * 10 + digit;
  }
  for (; digits < 9; ++digits) nanos *= 10;
  return nanoseconds(nanos);
}

// Nothing if it is not within a day.
std::optional<minutes> Offset(Scanner& scan) {
  if (!scan.Next('+') && !scan.Next('-')) {
    scan.OneOf("Zz");
    return minutes(0);
  }
  const bool west = scan.Next('-');
  scan.OneOf("+-");
  const int hour = scan.Digits(2);
  scan.OneOf(":");
  const int minute = scan.Digits(2);
  if (hour > 23 || minute > 59) return std::nullopt;
  const minutes offset(hour * 60 + minute);
  return west ? -offset : offset;
}

}  // namespace

std::string FormatRfc3339(WallTime when) {
  const auto day = std::chrono::floor<days>(when);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<nanoseconds> time(when - day);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", int(date.year()),
                unsigned(date.month()), unsigned(date.day()), int(time.hours().count()),
                int(time.minutes().count()), int(time.seconds().count()));
  std::string result = text.data();
  if (time.subseconds().count() != 0) {
    std::snprintf(text.data(), text.size(), ".%09d", int(time.subseconds().count()));
    result += text.data();
    result.resize(result.find_last_not_of('0') + 1);
  }
  return result + "Z";
}

Result<WallTime> ParseRfc3339(std::string_view text) {
  Scanner scan(text);
  const int year = scan.Digits(4);
  scan.OneOf("-");
  const int month = scan.Digits(2);
  scan.OneOf("-");
  const int day = scan.Digits(2);
  scan.OneOf("Tt ");
  const int hour = scan.Digits(2);
  scan.OneOf(":");
  const int minute = scan.Digits(2);
  scan.OneOf(":");
  const int second = scan.Digits(2);
  const nanoseconds fraction = scan.Next('.') ? Fraction(scan) : nanoseconds(0);
  const auto offset = Offset(scan);
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  const bool possible = scan.Done() && offset && date.ok() && year >= 1970 && year <= kLastYear &&
                        hour <= 23 && minute <= 59 && second <= 60;
  if (!possible) return NotATime(text);
  const auto time = seconds((hour * 60 + minute) * 60 + second) - *offset;
  const auto since = sys_days(date).time_since_epoch() + time + fraction;
  if (since < nanoseconds(0)) return NotATime(text);
  return WallTime(std::chrono::duration_cast<WallTime::duration>(since));
}

}  // namespace prewarm
