// The job store of one machine: an SQLite file. Several processes may open it; the lease in it says
// which of them writes.
#pragma once

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/jobs/job_store.h"

namespace prewarm::controller {

// `patience`: how long a holder may stay silent before its lease is taken over. Only this process's
// monotonic clock is asked, and no moment of another process is looked at. `clock` must outlive the
// store. Fails as OpenJobDatabase does.
Result<std::unique_ptr<JobStore>> OpenSqliteJobStore(const std::string& path, const Clock& clock,
                                                     Duration patience);

}  // namespace prewarm::controller
