#include "agent/warm/warm_run.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "agent/warm/fetch_lane.h"
#include "common/async/io_thread.h"
#include "common/base/check.h"

namespace prewarm::agent {

WarmRun::WarmRun(WarmEngine& engine, RunRequest request)
    : engine_(engine),
      make_store_(std::move(request.make_store)),
      rank_(request.rank),
      run_(request.parts, request.plan, request.presence, request.limits) {}

WarmRun::~WarmRun() { PREWARM_CHECK(!fetching_, "a run is destroyed while it fetches"); }

Task<Result<EngineOutcome>> WarmRun::Fetch() {
  stopped_ = stopped_ || engine_.stopped_;
  if (stopped_ || run_.work.ended()) co_return Outcome();
  CO_TRY_STATUS(engine_.CheckFits(run_.parts.codec, run_.plan.block_size()));
  CO_TRY_STATUS(OpenLanes());
  run_.ended = std::make_shared<EndSignal>(co_await boost::asio::this_coro::executor);
  fetching_ = true;
  engine_.Enter(*this);
  engine_.desk_.Add(run_, rank_,
                    BlockBuffer::BytesNeeded(run_.parts.codec, run_.plan.block_size()));
  co_await UntilEnded();
  engine_.desk_.Remove(run_);
  co_await CloseLanes();
  fetching_ = false;
  engine_.Leave(*this);
  co_return Outcome();
}

Status WarmRun::OpenLanes() {
  for (const auto& thread : engine_.threads_) {
    TRY(auto store, make_store_());
    run_.lanes.push_back(std::make_shared<FetchLane>(run_, engine_.desk_, engine_.buffers_,
                                                     thread->executor(), std::move(store)));
  }
  return {};
}

Task<void> WarmRun::UntilEnded() {
  while (!co_await run_.ended->Wait()) Stop();
}

Task<void> WarmRun::CloseLanes() {
  for (std::size_t i = 0; i < run_.lanes.size(); ++i) {
    co_await On(engine_.threads_[i]->executor(), run_.lanes[i]->Close());
  }
  run_.lanes.clear();
}

EngineOutcome WarmRun::Outcome() {
  EngineOutcome outcome;
  outcome.counts = run_.tally.Read();
  outcome.samples = run_.tally.Samples();
  outcome.stale = run_.tally.TakeStale();
  outcome.aborted = run_.work.abort_reason();
  outcome.stopped = stopped_;
  return outcome;
}

void WarmRun::Stop() {
  if (std::exchange(stopped_, true) || !fetching_) return;
  engine_.desk_.Cease(run_);
  for (std::size_t i = 0; i < run_.lanes.size(); ++i) {
    boost::asio::post(engine_.threads_[i]->executor(), [lane = run_.lanes[i]] { lane->Stop(); });
  }
}

void WarmRun::SetRank(const RunRank& rank) {
  rank_ = rank;
  if (fetching_) engine_.desk_.SetRank(run_, rank);
}

EngineProgress WarmRun::Progress() { return {run_.tally.Read(), engine_.desk_.requests_target()}; }

}  // namespace prewarm::agent
