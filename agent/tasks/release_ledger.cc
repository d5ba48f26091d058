#include "agent/tasks/release_ledger.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace prewarm::agent {

BlockSet::BlockSet(const std::vector<SharedPlan>& plans) {
  for (const auto& plan : plans) {
    auto& runs = plans_.emplace_back(plan->Runs());
    std::ranges::sort(runs, {}, [](const juicefs::BlockRun& run) {
      return std::pair(run.slice.value, run.first_index);
    });
  }
}

bool BlockSet::Has(juicefs::BlockId block) const {
  return std::ranges::any_of(plans_, [&](const std::vector<juicefs::BlockRun>& runs) {
    const auto after = std::ranges::upper_bound(
        runs, std::pair(block.slice.value, block.index), {},
        [](const juicefs::BlockRun& run) { return std::pair(run.slice.value, run.first_index); });
    if (after == runs.begin()) return false;
    const auto& run = *std::prev(after);
    return run.slice == block.slice && block.index - run.first_index < run.count;
  });
}

void ReleaseLedger::SetNeeds(const std::string& prewarm, const std::string& uuid, SharedPlan plan) {
  auto& record = records_[prewarm];
  // Block names are unique within a volume only.
  if (record.uuid != uuid) record.published.clear();
  record.uuid = uuid;
  record.plan_bytes = plan->Runs().size() * sizeof(juicefs::BlockRun);
  record.plan = std::move(plan);
  record.held = true;
  record.touched = ++now_;
  Shrink();
}

void ReleaseLedger::AddPublished(const std::string& prewarm,
                                 const std::vector<PublishedBlock>& blocks) {
  const auto at = records_.find(prewarm);
  if (at == records_.end()) return;
  at->second.published.insert(at->second.published.end(), blocks.begin(), blocks.end());
  Shrink();
}

void ReleaseLedger::LetGo(const std::string& prewarm) {
  const auto at = records_.find(prewarm);
  if (at != records_.end()) at->second.held = false;
}

ReleaseLedger::Inquiry ReleaseLedger::Take(const std::string& prewarm) {
  const auto at = records_.find(prewarm);
  if (at == records_.end() || incomplete_.contains(at->second.uuid)) return {};
  Inquiry inquiry;
  inquiry.published = std::exchange(at->second.published, {});
  for (const auto& [name, record] : records_) {
    if (record.uuid == at->second.uuid) inquiry.needed.push_back(record.plan);
  }
  return inquiry;
}

void ReleaseLedger::Shrink() {
  std::size_t bytes = 0;
  for (const auto& [name, record] : records_) bytes += record.Bytes();
  while (bytes > memory_limit_ && records_.size() > 1) {
    const auto oldest = std::ranges::min_element(records_, {}, [](const auto& entry) {
      return std::tuple(entry.second.held, entry.second.touched);
    });
    if (oldest->second.held) incomplete_.insert(oldest->second.uuid);
    bytes -= oldest->second.Bytes();
    records_.erase(oldest);
  }
}

}  // namespace prewarm::agent
