#include "agent/warm/run_queue.h"

#include <algorithm>

#include "common/base/check.h"

namespace prewarm::agent {
namespace {

// What may be caught up on after a lull, in seconds of the rate.
constexpr double kBurstSeconds = 0.25;

void SetRate(TokenBucket& bucket, std::uint64_t bytes_per_second, SteadyTime now) {
  const auto rate = static_cast<double>(bytes_per_second);
  bucket.SetRate(rate, rate * kBurstSeconds, now);
}

}  // namespace

RunQueue::RunQueue(Budgets budgets, SteadyTime now)
    : budgets_(budgets), bandwidth_(0, 0, now), disk_writes_(0, 0, now) {}

void RunQueue::Add(RunWork& work, const RunRank& rank, std::uint64_t buffer_bytes) {
  PREWARM_CHECK(buffer_bytes <= budgets_.memory_bytes, "a block that no budget could hold");
  entries_.push_back({&work, rank, arrivals_++, buffer_bytes});
  Sort();
}

void RunQueue::Remove(const RunWork& work) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.work == &work; });
}

void RunQueue::SetRank(const RunWork& work, const RunRank& rank) {
  for (auto& entry : entries_) {
    if (entry.work == &work) entry.rank = rank;
  }
  Sort();
}

void RunQueue::Sort() {
  std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
    if (Before(a.rank, b.rank) || Before(b.rank, a.rank)) return Before(a.rank, b.rank);
    return a.arrival < b.arrival;
  });
}

void RunQueue::SetBandwidth(std::uint64_t bytes_per_second, SteadyTime now) {
  SetRate(bandwidth_, bytes_per_second, now);
}

void RunQueue::SetDiskWrites(std::uint64_t bytes_per_second, SteadyTime now) {
  SetRate(disk_writes_, bytes_per_second, now);
}

SteadyTime RunQueue::TokensAt(SteadyTime now) {
  return now + std::max(bandwidth_.Take(0, now), disk_writes_.Take(0, now));
}

std::size_t RunQueue::RequestsThatCount(SteadyTime now) const {
  std::size_t hanging = 0;
  for (const Entry& entry : entries_) hanging += entry.work->HangingRequests(now);
  return requests_ - hanging;
}

std::optional<RunQueue::Grant> RunQueue::Next(SteadyTime now) {
  wake_at_ = SteadyTime::max();
  if (blocks_ >= budgets_.blocks || RequestsThatCount(now) >= budgets_.requests)
    return std::nullopt;
  const auto tokens_at = TokensAt(now);
  for (const Entry& entry : entries_) {
    const auto ready_at = entry.work->ReadyAt(now);
    if (ready_at > now) {
      wake_at_ = std::min(wake_at_, ready_at);
      continue;
    }
    if (tokens_at > now) {
      was_limited_ = true;
      wake_at_ = std::min(wake_at_, tokens_at);
      return std::nullopt;
    }
    // What comes free is for this run: lower ones with smaller blocks would starve it.
    if (memory_ + entry.buffer_bytes > budgets_.memory_bytes) return std::nullopt;
    if (const auto start = entry.work->Take(now)) return Give(entry, *start, now);
    wake_at_ = std::min(wake_at_, entry.work->ReadyAt(now));
  }
  return std::nullopt;
}

RunQueue::Grant RunQueue::Give(const Entry& entry, const BlockStart& start, SteadyTime now) {
  ++requests_;
  ++blocks_;
  memory_ += entry.buffer_bytes;
  bandwidth_.Take(start.block.size, now);
  disk_writes_.Take(start.block.size, now);
  return {entry.work, start, entry.buffer_bytes};
}

void RunQueue::RequestEnded(const Grant& grant, std::uint64_t received, SteadyTime now) {
  --requests_;
  bandwidth_.Take(static_cast<double>(received) - grant.start.block.size, now);
  grant.work->OnRequestEnded(grant.start, received, now);
}

void RunQueue::BlockEnded(const Grant& grant, std::uint64_t written, SteadyTime now) {
  --blocks_;
  memory_ -= grant.buffer_bytes;
  disk_writes_.Take(static_cast<double>(written) - grant.start.block.size, now);
}

bool RunQueue::TakeWasLimited() { return std::exchange(was_limited_, false); }

}  // namespace prewarm::agent
