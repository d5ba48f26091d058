// kill -9 at random moments while prewarms are saved: what was acknowledged is there in full, what
// was not is there in full or not at all, ends stay, ages grow.
// Usage: job_store_kill_test <job_store_loop> <rounds> <seed>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "controller/jobs/sqlite_job_store.h"
#include "tests/faults/job_store_batches.h"
#include "tests/faults/progress.h"
#include "tests/rig/child_process.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::faults {
namespace {

using controller::Prewarm;

class JobStoreKillTest {
 public:
  JobStoreKillTest(std::string program, std::uint64_t seed)
      : program_(std::move(program)), random_(seed) {}

  bool Run(int rounds) {
    progress_ = MapProgress(folder_ / "progress");
    if (progress_ == nullptr) return false;
    for (int round = 0; round < rounds && violations_ == 0; ++round) {
      KillOnce();
      Check();
    }
    return Verdict(rounds);
  }

 private:
  [[nodiscard]] std::string Database() const { return folder_ / "jobs.db"; }

  void Violation(const std::string& what) {
    ++violations_;
    std::fprintf(stderr, "VIOLATION: %s\n", what.c_str());
  }

  void KillOnce() {
    Reset(*progress_);
    rig::ChildProcess child({program_, Database(), folder_ / "progress", std::to_string(next_)},
                            folder_ / "log");
    if (!rig::WaitFor([&] { return progress_->begun > 0 || !child.Running(); })) {
      Violation("the loop did not begin");
    }
    ::poll(nullptr, 0, static_cast<int>(random_() % 30));
    if (!child.Running()) Violation("the loop ended by itself: " + child.Log());
    child.Signal(SIGKILL);
    child.Wait();
    acknowledged_ = std::max<std::uint64_t>(acknowledged_, progress_->finished);
    if (progress_->begun > progress_->finished) ++in_flight_;
  }

  void Check() {
    const SystemClock clock;
    const auto store = controller::OpenSqliteJobStore(Database(), clock, std::chrono::hours(1));
    if (!store) return Violation("the store does not open: " + store.error().message);
    auto loaded = (*store)->Load(~0U);
    if (!loaded) return Violation("the store cannot be read: " + loaded.error().message);
    const auto last = loaded->size() / kPerBatch;
    if (loaded->size() % kPerBatch != 0) Violation("a part of a batch is there");
    if (last < acknowledged_) Violation("an acknowledged batch is gone");
    if (last > acknowledged_) ++unacknowledged_;
    if (last > std::max<std::uint64_t>(acknowledged_, progress_->begun)) {
      Violation("a batch is there that was not begun");
    }
    Compare(*std::move(loaded), last);
    next_ = last + 1;
    acknowledged_ = last;
  }

  void Compare(std::vector<Prewarm> loaded, std::uint64_t last) {
    std::uint64_t age = 0;
    auto at = loaded.begin();
    for (std::uint64_t batch = 1; batch <= last; ++batch) {
      for (std::uint64_t index = 0; index < kPerBatch && at != loaded.end(); ++index, ++at) {
        auto expected = index == 0 && batch < last ? EndedJob(batch) : AcceptedJob(batch, index);
        if (at->age <= age) Violation("ages do not grow at " + at->id);
        age = expected.age = at->age;
        if (*at != expected) Violation(JobId(batch, index) + " is not what was saved");
      }
    }
  }

  bool Verdict(int rounds) {
    std::printf(
        "%d rounds, %llu batches saved; %d kills hit a save, %d of those saves were durable before "
        "they could be acknowledged; %d violations\n",
        rounds, static_cast<unsigned long long>(acknowledged_), in_flight_, unacknowledged_,
        violations_);
    if (in_flight_ * 2 < rounds) Violation("too few kills hit a save: this proves little");
    if (acknowledged_ < static_cast<std::uint64_t>(rounds)) Violation("too little was saved");
    return violations_ == 0;
  }

  std::string program_;
  std::mt19937_64 random_;
  rig::TempDir folder_;
  Progress* progress_ = nullptr;
  std::uint64_t next_ = 1;          // batch
  std::uint64_t acknowledged_ = 0;  // the last batch that must be there
  int in_flight_ = 0;
  int unacknowledged_ = 0;
  int violations_ = 0;
};

}  // namespace
}  // namespace prewarm::faults

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::printf("seed %s\n", argv[3]);
  prewarm::faults::JobStoreKillTest test(argv[1], std::strtoull(argv[3], nullptr, 10));
  return test.Run(std::atoi(argv[2])) ? 0 : 1;
}
