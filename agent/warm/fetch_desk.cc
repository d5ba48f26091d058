#include "agent/warm/fetch_desk.h"

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include "agent/warm/fetch_lane.h"

namespace prewarm::agent {
namespace {

constexpr auto kAdaptWindow = std::chrono::milliseconds(500);

std::size_t IndexOfLeast(const std::vector<std::size_t>& counts) {
  return static_cast<std::size_t>(std::ranges::min_element(counts) - counts.begin());
}

}  // namespace

FetchDesk::State::State(RunQueue::Budgets budgets, std::size_t threads, SteadyTime now)
    : queue(budgets, now),
      jobs_by_thread(threads),
      concurrency(ConcurrencyController::Bounds{.maximum = budgets.requests}) {
  queue.SetRequests(concurrency.target());
}

FetchDesk::FetchDesk(const Clock& clock, RunQueue::Budgets budgets,
                     const std::vector<std::unique_ptr<IoThread>>& threads)
    : clock_(clock),
      max_requests_(budgets.requests),
      threads_(threads),
      state_(State(budgets, threads.size(), clock.Now())),
      timer_(threads.front()->executor()),
      ticking_(threads.front()->executor()) {
  boost::asio::post(first_thread(), [this] { ticking_.Spawn("fetch desk", Tick()); });
}

void FetchDesk::Close() {
  boost::asio::post(first_thread(), [this] { ticking_.Stop(); });
}

template <class Change>
void FetchDesk::Do(Change change) {
  Send(state_.With([&](State& state) {
    const auto now = clock_.Now();
    change(state, now);
    return Collect(state, now);
  }));
}

FetchDesk::Ready FetchDesk::Collect(State& state, SteadyTime now) {
  Ready ready;
  while (const auto grant = state.queue.Next(now)) {
    const auto run = std::ranges::find(state.runs, grant->work, [](auto* r) { return &r->work; });
    const auto thread = IndexOfLeast(state.jobs_by_thread);
    ++state.jobs_by_thread[thread];
    ready.jobs.emplace_back((*run)->lanes[thread], BlockJob{*grant, thread});
  }
  std::erase_if(state.runs, [&](const FetchRun* run) {
    if (!run->work.ended()) return false;
    ready.ended.push_back(run->ended);
    return true;
  });
  ready.timer_is_late = state.queue.wake_at() < state.timer_at;
  if (ready.timer_is_late) state.timer_at = state.queue.wake_at();
  return ready;
}

void FetchDesk::Send(const Ready& ready) {
  for (const auto& [lane, job] : ready.jobs) {
    boost::asio::dispatch(threads_[job.thread]->executor(),
                          [to = lane, what = job] { to->Start(what); });
  }
  for (const auto& ended : ready.ended) ended->Set();
  if (ready.timer_is_late) boost::asio::post(first_thread(), [this] { timer_.cancel(); });
}

Task<void> FetchDesk::Tick() {
  while (!co_await Stopping()) {
    const auto at = state_.With([](State& state) {
      const bool adapting = state.window_begin != SteadyTime::max();
      state.timer_at = std::min(state.queue.wake_at(),
                                adapting ? state.window_begin + kAdaptWindow : SteadyTime::max());
      return state.timer_at;
    });
    timer_.expires_at(at);
    co_await timer_.async_wait(kAsTuple);
    Do([this](State& state, SteadyTime now) { Adapt(state, now); });
  }
}

void FetchDesk::Adapt(State& state, SteadyTime now) const {
  if (state.window_begin == SteadyTime::max() || now < state.window_begin + kAdaptWindow) return;
  const double seconds = std::chrono::duration<double>(now - state.window_begin).count();
  if (!state.queue.TakeWasLimited()) {
    state.concurrency.OnWindow(static_cast<double>(state.received - state.received_before) /
                               seconds);
    state.queue.SetRequests(state.concurrency.target());
  }
  state.received_before = state.received;
  state.window_begin = now;
}

void FetchDesk::Add(FetchRun& run, const RunRank& rank, std::uint64_t buffer_bytes) {
  Do([&](State& state, SteadyTime now) {
    if (state.queue.runs() == 0) {
      // What was learned about a link may be about another one.
      state.concurrency = ConcurrencyController({.maximum = max_requests_});
      state.queue.SetRequests(state.concurrency.target());
      state.received_before = state.received;
      state.window_begin = now;
      state.timer_at = SteadyTime::max();
    }
    state.runs.push_back(&run);
    state.queue.Add(run.work, rank, buffer_bytes);
  });
  boost::asio::post(first_thread(), [this] { timer_.cancel(); });
}

void FetchDesk::Remove(const FetchRun& run) {
  Do([&](State& state, SteadyTime) {
    state.queue.Remove(run.work);
    if (state.queue.runs() == 0) state.window_begin = SteadyTime::max();
  });
}

void FetchDesk::SetRank(const FetchRun& run, const RunRank& rank) {
  Do([&](State& state, SteadyTime) { state.queue.SetRank(run.work, rank); });
}

void FetchDesk::Cease(FetchRun& run) {
  Do([&](State&, SteadyTime) { run.work.Close(); });
}

void FetchDesk::SetBandwidth(std::uint64_t bytes_per_second) {
  Do([&](State& state, SteadyTime now) { state.queue.SetBandwidth(bytes_per_second, now); });
}

void FetchDesk::SetDiskWrites(std::uint64_t bytes_per_second) {
  Do([&](State& state, SteadyTime now) { state.queue.SetDiskWrites(bytes_per_second, now); });
}

std::size_t FetchDesk::requests_target() {
  return state_.With([](const State& state) { return state.queue.requests(); });
}

void FetchDesk::RequestEnded(const BlockJob& job, std::uint64_t received) {
  Do([&](State& state, SteadyTime now) {
    --state.jobs_by_thread[job.thread];
    state.received += received;
    state.queue.RequestEnded(job.grant, received, now);
  });
}

void FetchDesk::BlockEnded(const BlockJob& job, const BlockEnd& end) {
  Do([&](State& state, SteadyTime now) {
    state.queue.BlockEnded(job.grant, end.written, now);
    job.grant.work->OnBlockEnded(job.grant.start, end.failure, now);
  });
}

}  // namespace prewarm::agent
