#include "agent/warm/tally.h"

#include <utility>

namespace prewarm::agent {

void Tally::Fetched(std::uint64_t bytes, bool unverified) {
  fetched_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  fetched_blocks_.fetch_add(1, std::memory_order_relaxed);
  if (unverified) unverified_blocks_.fetch_add(1, std::memory_order_relaxed);
}

void Tally::Found() { found_blocks_.fetch_add(1, std::memory_order_relaxed); }

void Tally::SawError(Reason reason) {
  errors_by_reason_[Index(reason)].fetch_add(1, std::memory_order_relaxed);
}

void Tally::Failed(const Error& error) {
  failed_blocks_.fetch_add(1, std::memory_order_relaxed);
  failed_by_reason_[Index(error.reason)].fetch_add(1, std::memory_order_relaxed);
  samples_.With([&](auto& samples) {
    if (samples.size() < kSamples) samples.push_back(error.message);
  });
}

void Tally::Stale(std::uint64_t number) {
  stale_blocks_.fetch_add(1, std::memory_order_relaxed);
  stale_.With([&](auto& numbers) { numbers.push_back(number); });
}

Tally::Counts Tally::Read() const {
  const auto load = [](const auto& counter) { return counter.load(std::memory_order_relaxed); };
  Counts counts;
  counts.fetched_blocks = load(fetched_blocks_);
  counts.fetched_bytes = load(fetched_bytes_);
  counts.found_blocks = load(found_blocks_);
  counts.failed_blocks = load(failed_blocks_);
  counts.stale_blocks = load(stale_blocks_);
  counts.unverified_blocks = load(unverified_blocks_);
  counts.wire_bytes = load(wire_bytes_);
  counts.requests = load(requests_);
  counts.retries = load(retries_);
  for (std::size_t i = 0; i < kReasons; ++i) {
    counts.failed_by_reason[i] = load(failed_by_reason_[i]);
    counts.errors_by_reason[i] = load(errors_by_reason_[i]);
  }
  return counts;
}

void Tally::Counts::Add(const Counts& more) {
  fetched_blocks += more.fetched_blocks;
  fetched_bytes += more.fetched_bytes;
  found_blocks += more.found_blocks;
  failed_blocks += more.failed_blocks;
  stale_blocks += more.stale_blocks;
  unverified_blocks += more.unverified_blocks;
  wire_bytes += more.wire_bytes;
  requests += more.requests;
  retries += more.retries;
  for (std::size_t i = 0; i < kReasons; ++i) {
    failed_by_reason[i] += more.failed_by_reason[i];
    errors_by_reason[i] += more.errors_by_reason[i];
  }
}

std::vector<std::string> Tally::Samples() {
  return samples_.With([](const auto& samples) { return samples; });
}

std::vector<std::uint64_t> Tally::TakeStale() {
  return stale_.With([](auto& numbers) { return std::exchange(numbers, {}); });
}

}  // namespace prewarm::agent
