// What every job store must do, whatever it is made of. A store joins by a backend that opens it:
//   INSTANTIATE_TEST_SUITE_P(Sqlite, JobStoreSuite, testing::Values(JobStoreMaker{…}));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "controller/jobs/job_store.h"

namespace prewarm::controller {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override { return now; }
  [[nodiscard]] WallTime WallNow() const override { return wall; }

  SteadyTime now{};
  WallTime wall{std::chrono::hours(500'000)};
};

inline constexpr Duration kPatience = std::chrono::seconds(10);

// One place where jobs are durable; it can be opened many times, as by many processes.
class JobStoreBackend {
 public:
  virtual ~JobStoreBackend() = default;
  virtual Result<std::unique_ptr<JobStore>> Open(const Clock& clock, Duration patience) = 0;
  // Takes out of a prewarm what this kind of store says that it cannot hold.
  virtual void MakeStorable(Prewarm& /*prewarm*/) {}
};

using JobStoreMaker = std::function<std::unique_ptr<JobStoreBackend>()>;

class JobStoreSuite : public testing::TestWithParam<JobStoreMaker> {
 protected:
  void SetUp() override { backend_ = GetParam()(); }

  // As another process would; it has a clock of its own.
  std::unique_ptr<JobStore> Open(const Clock& clock);
  // One that leads.
  std::unique_ptr<JobStore> OpenLeading();
  std::string Id(const std::string& name);
  // Everything that this store can hold.
  Prewarm Full(const std::string& name);

  FakeClock clock_;
  std::unique_ptr<JobStoreBackend> backend_;
};

// Accepted, with a task on each of two nodes and a value in every field.
Prewarm AFullPrewarm(const std::string& id);
Prewarm Ended(Prewarm prewarm, PrewarmState state, WallTime when);

}  // namespace prewarm::controller
