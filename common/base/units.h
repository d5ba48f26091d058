// Sizes, rates and durations as people write them, and back. Sizes are powers of 1024 ("4MiB",
// "4M", "4m" and "4MB" are the same, as the JuiceFS client takes them); link rates are powers of
// 1000 bits ("500" and "500M" are 500 Mbit/s, as --download-limit means it). Errors:
// kInvalidArgument, with a message that quotes the text and says what is expected.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace prewarm {

constexpr std::uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
constexpr std::uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
constexpr std::uint64_t operator""_GiB(unsigned long long n) { return n << 30; }

// A positive or zero size in bytes; a bare number counts in `bare_unit` bytes.
Result<std::uint64_t> ParseSize(std::string_view text, std::uint64_t bare_unit = 1);
// Bits per second as text ("200", "1.5G") to bytes per second; 0 means unlimited.
Result<std::uint64_t> ParseLinkRate(std::string_view text);
// "30s", "1h30m", "500ms", "2d"; a number alone counts in seconds. May be negative ("-1").
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

// Texts that parse back to exactly the value (below 2^53): "512MiB", "1h30m", "800M".
std::string ExactSize(std::uint64_t bytes);
std::string ExactLinkRate(std::uint64_t bytes_per_second);
std::string ExactDuration(std::chrono::nanoseconds value);

// For people, rounded.
std::string FormatBytes(std::uint64_t bytes);                // "1.50 GiB"
std::string FormatDuration(std::chrono::nanoseconds value);  // "1 h 02 min", "3.2 s", "15 ms"
std::string FormatCount(std::uint64_t count);                // "12,345"
std::string FormatClockTime(std::chrono::system_clock::time_point when);  // "14:32:05", local time

}  // namespace prewarm
