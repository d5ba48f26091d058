// Who may write to the job store: one row that is taken, renewed and given up. What lies between
// two looks at a counter is measured by the looker's own monotonic clock, so clocks need not agree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/jobs/job_store.h"
#include "controller/jobs/sqlite.h"

namespace prewarm::controller {

class SqliteLease {
 public:
  SqliteLease(const Clock& clock, Duration patience) : clock_(clock), patience_(patience) {}

  // As JobStore says.
  Result<std::optional<Lease>> TryAcquire(const sqlite::Database& database,
                                          const std::string& holder);
  [[nodiscard]] std::string seen_holder() const { return sighting_ ? sighting_->row.holder : ""; }
  Status Renew(const sqlite::Database& database);
  Status Release(const sqlite::Database& database);

  // A transaction during which nobody can take the lease from this process. kConflict: it is lost.
  Result<sqlite::Transaction> BeginAsHolder(const sqlite::Database& database);

 private:
  struct Row {
    std::uint64_t epoch = 0;
    std::string holder;
    std::uint64_t counter = 0;
    bool operator==(const Row&) const = default;
  };
  struct Sighting {
    Row row;
    SteadyTime since;
  };

  static Result<Row> Read(const sqlite::Database& database);
  [[nodiscard]] bool MayTake(const Row& row);

  const Clock& clock_;
  Duration patience_;
  // Every acquisition has an epoch of its own, so the epoch tells holders apart.
  std::optional<std::uint64_t> held_epoch_;
  std::optional<Sighting> sighting_;  // of another's lease
};

}  // namespace prewarm::controller
