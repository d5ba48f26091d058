// Saves batch after batch until it is killed, and says in shared memory which it began and which
// were acknowledged. Usage: job_store_loop <database> <progress file> <first batch>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/clock.h"
#include "controller/jobs/sqlite_job_store.h"
#include "tests/faults/job_store_batches.h"
#include "tests/faults/progress.h"
#include "tests/rig/child_process.h"

namespace prewarm::faults {
namespace {

int Complain(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

int Run(const std::string& database, Progress& progress, std::uint64_t number) {
  const SystemClock clock;
  // The one before was killed and gave nothing up.
  auto store = controller::OpenSqliteJobStore(database, clock, std::chrono::microseconds(100));
  if (!store) return Complain(store.error());
  bool failed = false;
  const bool leads = rig::WaitFor([&] {
    const auto lease = (*store)->TryAcquire("loop");
    failed = failed || !lease;
    return failed || lease->has_value();
  });
  if (failed || !leads) return 1;
  for (;; ++number) {
    progress.begun = number;
    const auto saved = (*store)->Save(Batch(number));
    if (!saved) return Complain(saved.error());
    progress.finished = number;
  }
}

}  // namespace
}  // namespace prewarm::faults

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto* progress = prewarm::faults::MapProgress(argv[2]);
  if (progress == nullptr) return 2;
  return prewarm::faults::Run(argv[1], *progress, std::strtoull(argv[3], nullptr, 10));
}
