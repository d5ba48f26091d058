// What happened in a run so far. Counters are read at any time from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "common/async/guarded.h"
#include "common/base/error.h"

namespace prewarm::agent {

class Tally {
 public:
  static constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::kCancelled) + 1;
  static constexpr std::size_t kSamples = 20;

  struct Counts {
    std::uint64_t fetched_blocks = 0;  // stored by this run
    std::uint64_t fetched_bytes = 0;   // plain bytes of them
    std::uint64_t found_blocks = 0;    // somebody else stored them meanwhile
    std::uint64_t failed_blocks = 0;
    std::uint64_t stale_blocks = 0;  // not in the store: to be resolved again
    std::uint64_t unverified_blocks = 0;
    std::uint64_t wire_bytes = 0;  // received from the store, retries included
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
    std::array<std::uint64_t, kReasons> failed_by_reason{};
    // Damaged, cut or refused answers by kind, also those that a retry made good.
    std::array<std::uint64_t, kReasons> errors_by_reason{};

    void Add(const Counts& more);
  };

  void Fetched(std::uint64_t bytes, bool unverified);
  void Found();
  void Request() { requests_.fetch_add(1, std::memory_order_relaxed); }
  void Received(std::uint64_t bytes) { wire_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void Retry() { retries_.fetch_add(1, std::memory_order_relaxed); }
  // An attempt went wrong; whether the block fails is said by Failed.
  void SawError(Reason reason);
  // The first kSamples messages are kept.
  void Failed(const Error& error);
  void Stale(std::uint64_t number);

  [[nodiscard]] Counts Read() const;
  std::vector<std::string> Samples();
  std::vector<std::uint64_t> TakeStale();

 private:
  static std::size_t Index(Reason reason) { return static_cast<std::size_t>(reason); }

  std::atomic<std::uint64_t> fetched_blocks_{0};
  std::atomic<std::uint64_t> fetched_bytes_{0};
  std::atomic<std::uint64_t> found_blocks_{0};
  std::atomic<std::uint64_t> failed_blocks_{0};
  std::atomic<std::uint64_t> stale_blocks_{0};
  std::atomic<std::uint64_t> unverified_blocks_{0};
  std::atomic<std::uint64_t> wire_bytes_{0};
  std::atomic<std::uint64_t> requests_{0};
  std::atomic<std::uint64_t> retries_{0};
  std::array<std::atomic<std::uint64_t>, kReasons> failed_by_reason_{};
  std::array<std::atomic<std::uint64_t>, kReasons> errors_by_reason_{};
  Guarded<std::vector<std::string>> samples_;
  Guarded<std::vector<std::uint64_t>> stale_;
};

}  // namespace prewarm::agent
