#include "controller/operator/status_pacer.h"

#include <algorithm>
#include <utility>

namespace prewarm::controller {

StatusPacer::StatusPacer(Limits limits, SteadyTime now)
    : limits_(limits), tokens_(limits.per_second), filled_(now) {}

std::vector<std::string> StatusPacer::Choose(const std::vector<std::string>& wanting,
                                             SteadyTime now) {
  const auto passed = std::chrono::duration<double>(now - filled_).count();
  tokens_ = std::min(tokens_ + passed * limits_.per_second, limits_.per_second);
  filled_ = now;
  std::vector<std::pair<SteadyTime, std::string>> due;
  for (const auto& key : wanting) {
    const auto at = written_.find(key);
    if (at == written_.end()) {
      due.emplace_back(SteadyTime{}, key);
    } else if (now - at->second >= limits_.between) {
      due.emplace_back(at->second, key);
    }
  }
  std::ranges::sort(due);
  std::vector<std::string> chosen;
  for (auto& [since, key] : due) {
    if (tokens_ < 1) break;
    tokens_ -= 1;
    written_[key] = now;
    chosen.push_back(std::move(key));
  }
  return chosen;
}

}  // namespace prewarm::controller
