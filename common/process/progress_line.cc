#include "common/process/progress_line.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "common/base/units.h"

namespace prewarm {
namespace {

constexpr auto kTerminalInterval = std::chrono::milliseconds(100);
constexpr auto kPlainInterval = std::chrono::seconds(5);

}  // namespace

std::string FormatProgress(const ProgressState& state, std::size_t columns) {
  const double share = state.total_bytes == 0 ? 1
                                              : static_cast<double>(state.done_bytes) /
                                                    static_cast<double>(state.total_bytes);
  std::array<char, 8> percent{};
  std::snprintf(percent.data(), percent.size(), "%3d %%", static_cast<int>(share * 100));
  std::string text = std::string(percent.data()) + "  " + FormatBytes(state.done_bytes) + " of " +
                     FormatBytes(state.total_bytes) + "  " +
                     FormatBytes(static_cast<std::uint64_t>(state.bytes_per_second)) + "/s";
  if (state.bytes_per_second > 0 && state.done_bytes < state.total_bytes) {
    const double seconds =
        static_cast<double>(state.total_bytes - state.done_bytes) / state.bytes_per_second;
    text += "  ETA " + FormatDuration(std::chrono::nanoseconds(
                           static_cast<std::int64_t>(std::min(seconds, 1e9) * 1e9)));
  }
  if (state.failed_blocks > 0) text += "  " + FormatCount(state.failed_blocks) + " blocks failed";
  constexpr std::size_t kLeastBar = 12;
  if (columns < text.size() + kLeastBar + 5) return text.substr(0, columns);
  const std::size_t width = std::min<std::size_t>(columns - text.size() - 5, 40);
  const auto filled = static_cast<std::size_t>(std::round(share * static_cast<double>(width)));
  return "[" + std::string(filled, '#') + std::string(width - filled, '.') + "] " + text;
}

bool ProgressLine::Due(SteadyTime now) {
  if (now < next_) return false;
  // Without a terminal the first line comes after an interval: a quick run prints none.
  const bool first = next_ == SteadyTime{};
  next_ = now + (live_.terminal() ? Duration(kTerminalInterval) : Duration(kPlainInterval));
  return live_.terminal() || !first;
}

void ProgressLine::Show(const ProgressState& state, SteadyTime now) {
  if (Due(now)) Print(FormatProgress(state, live_.terminal() ? live_.columns() - 1 : 100));
}

void ProgressLine::Note(const std::string& text, SteadyTime now) {
  if (Due(now)) Print(text.substr(0, live_.columns() - 1));
}

void ProgressLine::Print(const std::string& text) {
  if (live_.terminal()) return live_.Draw({text});
  std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

double RateMeter::Update(std::uint64_t total_bytes, SteadyTime now) {
  constexpr double kMemorySeconds = 3;
  const double seconds = std::chrono::duration<double>(now - last_time_).count();
  if (last_time_ != SteadyTime{} && seconds > 0) {
    const double rate = static_cast<double>(total_bytes - last_bytes_) / seconds;
    const double weight = rate_ == 0 ? 1 : 1 - std::exp(-seconds / kMemorySeconds);
    rate_ += (rate - rate_) * weight;
  }
  last_time_ = now;
  last_bytes_ = total_bytes;
  return rate_;
}

}  // namespace prewarm
