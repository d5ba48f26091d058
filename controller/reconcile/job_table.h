// The prewarms as this process knows them: what is durable (of what ended, the newest), plus what
// is only said by agents, plus who waits to hear of it. The one way to change what is durable is
// Commit. Lives on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/async/signal.h"
#include "common/async/task.h"
#include "controller/jobs/job_store.h"
#include "controller/plan/model.h"
#include "controller/plan/outcome.h"

namespace prewarm::controller {

struct Job {
  explicit Job(const boost::asio::any_io_executor& executor) : changed(executor) {}

  Prewarm prewarm;                           // tasks with the progress last reported
  std::shared_ptr<const ResolvedPlan> plan;  // absent: to be resolved (after a restart)
  bool resolving = false;
  std::map<std::string, HeldReport> inbox;  // by node, not taken in yet
  bool committing = false;                  // a Commit is under way: leave it alone
  // The plan is known not to hold any more: blocks are gone from the store, or the metadata
  // changed.
  bool stale = false;
  SteadyTime resolved_at{};
  std::uint64_t followed = 0;  // kept ones: the version of the last reading that was taken in
  std::uint64_t version = 1;   // grows with every change that a watcher should see
  Signal changed;

  void Touch() {
    ++version;
    changed.Notify();
  }
};

class JobTable {
 public:
  // `lost` is called once if the store refuses us as leader.
  JobTable(boost::asio::any_io_executor executor, boost::asio::thread_pool& store_pool,
           JobStore& store, std::function<void(const Error&)> lost);

  Task<Status> Load(std::size_t ended);

  // Makes these durable, then puts them into the table; many callers share one transaction. New
  // ones (age 0) get their age. kConflict: not the leader any more.
  Task<Result<std::vector<Job*>>> Commit(std::vector<Prewarm> prewarms);
  // Writes until the task is stopped; started once. Afterwards every Commit answers kCancelled.
  Task<void> WriteLoop();
  [[nodiscard]] bool idle() const { return waiting_.empty(); }

  // The id that a new prewarm of this name gets.
  [[nodiscard]] std::string IdOf(const std::string& name_space, const std::string& name) const {
    return store_.IdOf(name_space, name);
  }
  // It is new and is being made durable: Find does not know it yet, others may see it already.
  [[nodiscard]] bool IsBeingMade(const std::string& id) const { return being_made_.contains(id); }
  [[nodiscard]] Job* Find(const std::string& id);
  [[nodiscard]] Job* FindByKey(const std::string& name_space, const std::string& key);
  // The same among what ended and was forgotten here, which the store still has for a day at least.
  // Nothing is asked before anything was forgotten.
  Task<Result<std::optional<Prewarm>>> FindForgotten(std::string id);
  Task<Result<std::optional<Prewarm>>> FindForgottenByKey(std::string name_space, std::string key,
                                                          WallTime now);
  // By age, oldest first. Pointers stay valid until Forget.
  [[nodiscard]] const std::map<std::uint64_t, std::unique_ptr<Job>>& by_age() const {
    return jobs_;
  }
  [[nodiscard]] std::size_t unfinished() const { return unfinished_; }
  // Drops ended ones from memory beyond the newest `keep`.
  void ForgetEnded(std::size_t keep);

 private:
  struct Write {
    std::vector<Prewarm> prewarms;
    std::optional<Result<std::vector<Prewarm>>> answer;
    std::unique_ptr<Signal> done;
  };

  using Question = std::function<Result<std::optional<Prewarm>>()>;

  Task<void> WriteAll(std::vector<std::shared_ptr<Write>> batch);
  Task<Result<std::optional<Prewarm>>> Ask(Question question);
  Job* Insert(Prewarm prewarm);

  boost::asio::any_io_executor executor_;
  boost::asio::thread_pool& store_pool_;
  JobStore& store_;
  std::function<void(const Error&)> lost_;
  std::map<std::uint64_t, std::unique_ptr<Job>> jobs_;  // by age
  std::map<std::string, Job*> by_id_;
  std::map<std::pair<std::string, std::string>, Job*> by_key_;
  std::set<std::string> being_made_;
  std::size_t unfinished_ = 0;
  bool forgot_ = false;  // the store may have ended ones that are not here
  bool asking_ = false;
  Signal asked_;
  std::deque<std::shared_ptr<Write>> waiting_;
  bool closed_ = false;  // nobody writes any more
  Signal work_;
};

}  // namespace prewarm::controller
