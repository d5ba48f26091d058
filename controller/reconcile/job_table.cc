#include "controller/reconcile/job_table.h"

#include <utility>

#include "common/async/offload.h"

namespace prewarm::controller {
namespace {

constexpr std::size_t kBatch = 256;

Error Stopped() { return Fail(ErrorCode::kCancelled, "the controller stops", Reason::kCancelled); }

}  // namespace

JobTable::JobTable(boost::asio::any_io_executor executor, boost::asio::thread_pool& store_pool,
                   JobStore& store, std::function<void(const Error&)> lost)
    : executor_(std::move(executor)),
      store_pool_(store_pool),
      store_(store),
      lost_(std::move(lost)),
      asked_(executor_),
      work_(executor_) {}

Task<Status> JobTable::Load(std::size_t ended) {
  auto loaded = co_await Offload(store_pool_, [&] { return store_.Load(ended); });
  CO_TRY(auto prewarms, std::move(loaded));
  for (auto& prewarm : prewarms) Insert(std::move(prewarm));
  forgot_ = jobs_.size() - unfinished_ >= ended;
  co_return Status();
}

Job* JobTable::Insert(Prewarm prewarm) {
  auto& job = jobs_[prewarm.age];
  if (job == nullptr) {
    job = std::make_unique<Job>(executor_);
    by_id_[prewarm.id] = job.get();
    if (!prewarm.idempotency_key.empty()) {
      by_key_[{prewarm.name_space, prewarm.idempotency_key}] = job.get();
    }
    if (!IsFinal(prewarm.state)) ++unfinished_;
  } else if (!IsFinal(job->prewarm.state) && IsFinal(prewarm.state)) {
    --unfinished_;
  }
  job->prewarm = std::move(prewarm);
  if (IsFinal(job->prewarm.state)) job->plan.reset();
  job->Touch();
  return job.get();
}

Task<Result<std::vector<Job*>>> JobTable::Commit(std::vector<Prewarm> prewarms) {
  if (closed_) co_return Stopped();
  auto write = std::make_shared<Write>();
  write->prewarms = std::move(prewarms);
  write->done = std::make_unique<Signal>(executor_);
  std::vector<std::string> held;
  for (const auto& prewarm : write->prewarms) {
    if (auto* job = Find(prewarm.id)) {
      job->committing = true;
    } else {
      being_made_.insert(prewarm.id);
    }
    held.push_back(prewarm.id);
  }
  waiting_.push_back(write);
  work_.Notify();
  // Not given up by a stop: what was handed to the store may become durable, and the caller must
  // know.
  while (!write->answer && !co_await Stopping()) co_await write->done->Wait();
  for (const auto& id : held) {
    being_made_.erase(id);
    if (auto* job = Find(id)) {
      job->committing = false;
      job->changed.Notify();
    }
  }
  if (!write->answer) co_return Stopped();
  CO_TRY(auto saved, *std::move(write->answer));
  std::vector<Job*> jobs;
  jobs.reserve(saved.size());
  for (auto& prewarm : saved) jobs.push_back(Insert(std::move(prewarm)));
  co_return jobs;
}

Task<void> JobTable::WriteLoop() {
  while (!co_await Stopping()) {
    if (waiting_.empty()) {
      co_await work_.Wait();
      continue;
    }
    std::vector<std::shared_ptr<Write>> batch;
    std::size_t prewarms = 0;
    while (!waiting_.empty() && prewarms < kBatch) {
      batch.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      prewarms += batch.back()->prewarms.size();
    }
    co_await WriteAll(std::move(batch));
  }
  // Whoever waits here may be one whom no stop reaches, and the process would never end.
  closed_ = true;
  while (!waiting_.empty()) {
    waiting_.front()->answer.emplace(Stopped());
    waiting_.front()->done->Notify();
    waiting_.pop_front();
  }
}

Task<void> JobTable::WriteAll(std::vector<std::shared_ptr<Write>> batch) {
  std::vector<Prewarm> all;
  for (const auto& write : batch) {
    all.insert(all.end(), write->prewarms.begin(), write->prewarms.end());
  }
  auto saved = co_await Offload(store_pool_, [&] { return store_.Save(std::move(all)); });
  if (!saved && saved.error().code == ErrorCode::kInvalidArgument && batch.size() > 1) {
    // One that the store can never take must not keep the others from being written.
    for (auto& write : batch) co_await WriteAll({write});
    co_return;
  }
  if (!saved && saved.error().code == ErrorCode::kConflict) lost_(saved.error());
  auto next = saved ? saved->begin() : std::vector<Prewarm>::iterator{};
  for (const auto& write : batch) {
    if (saved) {
      const auto count = static_cast<std::ptrdiff_t>(write->prewarms.size());
      write->answer.emplace(std::vector<Prewarm>(std::make_move_iterator(next),
                                                 std::make_move_iterator(next + count)));
      next += count;
    } else {
      write->answer.emplace(saved.error());
    }
    write->done->Notify();
  }
}

Job* JobTable::Find(const std::string& id) {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : at->second;
}

Job* JobTable::FindByKey(const std::string& name_space, const std::string& key) {
  const auto at = by_key_.find({name_space, key});
  return at == by_key_.end() ? nullptr : at->second;
}

Task<Result<std::optional<Prewarm>>> JobTable::FindForgotten(std::string id) {
  return Ask([this, id = std::move(id)] { return store_.Find(id); });
}

Task<Result<std::optional<Prewarm>>> JobTable::FindForgottenByKey(std::string name_space,
                                                                  std::string key, WallTime now) {
  return Ask([this, name_space = std::move(name_space), key = std::move(key), now] {
    return store_.FindByKey(name_space, key, now);
  });
}

// One at a time, however many callers there are: the lease is renewed through the same pool.
Task<Result<std::optional<Prewarm>>> JobTable::Ask(Question question) {
  if (!forgot_) co_return std::optional<Prewarm>();
  while (asking_ && co_await asked_.Wait()) {
  }
  if (co_await Stopping()) co_return Stopped();
  asking_ = true;
  auto answer = co_await Offload(store_pool_, std::move(question));
  asking_ = false;
  asked_.Notify();
  co_return answer;
}

void JobTable::ForgetEnded(std::size_t keep) {
  std::size_t ended = jobs_.size() - unfinished_;
  for (auto at = jobs_.begin(); at != jobs_.end() && ended > keep;) {
    const auto& prewarm = at->second->prewarm;
    if (!IsFinal(prewarm.state) || at->second->committing) {
      ++at;
      continue;
    }
    by_id_.erase(prewarm.id);
    const auto key = by_key_.find({prewarm.name_space, prewarm.idempotency_key});
    if (key != by_key_.end() && key->second == at->second.get()) by_key_.erase(key);
    at = jobs_.erase(at);
    forgot_ = true;
    --ended;
  }
}

}  // namespace prewarm::controller
