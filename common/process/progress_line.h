// Progress on stderr: one live line on a terminal, a plain line every few seconds elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/process/live_lines.h"

namespace prewarm {

struct ProgressState {
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t failed_blocks = 0;
  double bytes_per_second = 0;
};

// "[#########.........]  52 %  1.04 GiB of 2.00 GiB  812 MiB/s  ETA 1.2 s", at most `columns` wide.
std::string FormatProgress(const ProgressState& state, std::size_t columns);

class ProgressLine {
 public:
  // Cheap; prints when it is time to.
  void Show(const ProgressState& state, SteadyTime now);
  // Says something that is not a number yet ("resolving paths: 12,000 files").
  void Note(const std::string& text, SteadyTime now);
  // Clears the live line, so that something else can be printed.
  void Clear() { live_.Clear(); }

 private:
  bool Due(SteadyTime now);
  void Print(const std::string& text);

  LiveLines live_;
  SteadyTime next_{};
};

// The rate over the last few seconds.
class RateMeter {
 public:
  double Update(std::uint64_t total_bytes, SteadyTime now);

 private:
  SteadyTime last_time_{};
  std::uint64_t last_bytes_ = 0;
  double rate_ = 0;
};

}  // namespace prewarm
