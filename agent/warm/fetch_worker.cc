#include "agent/warm/fetch_worker.h"

#include <string>
#include <utility>

#include "common/async/deadline.h"
#include "common/async/offload.h"
#include "common/juicefs/trailer.h"

namespace prewarm::agent {
FetchWorker::FetchWorker(FetchRun& run, ObjectStore& store, RequestGate& gate, std::uint64_t seed)
    : run_(run),
      store_(store),
      gate_(gate),
      random_(seed),
      buffer_(run.parts.codec, run.plan.block_size()) {}

Task<void> FetchWorker::Work() {
  while (!run_.aborted && !co_await Stopping()) {
    const auto number = run_.cursor.Next();
    if (!number) co_return;
    co_await Warm(*number);
  }
}

Task<void> FetchWorker::Warm(std::uint64_t number) {
  const auto block = run_.plan.At(number);
  const auto begin = run_.parts.clock.Now();
  const auto give_up = begin + run_.limits.retry_patience;
  Attempt attempt{.maximum = run_.limits.attempts};
  for (;; ++attempt.number) {
    auto failure = co_await Try(block, attempt);
    if (!failure) {
      run_.last_success = run_.parts.clock.Now();
      run_.retries.With([&](auto& budget) { budget.OnSuccess(attempt.number > 1); });
      run_.breaker.With([](auto& breaker) { breaker.OnSuccess(); });
      co_return;
    }
    if (failure->error.code == ErrorCode::kCancelled) co_return;
    run_.tally.SawError(failure->error.reason);
    if (failure->error.reason == Reason::kThrottled) run_.pushback = true;
    switch (failure->step) {
      case NextStep::kRetry:
        if (!co_await WaitToRetry(attempt.number, give_up)) {
          // Nobody got anything all the while: the other blocks would only wait as long in vain.
          if (run_.last_success.load() < begin) failure->step = NextStep::kAbort;
          co_return GiveUp(*failure);
        }
        break;
      case NextStep::kRetryFresh: attempt.fresh_retry_used = true; break;
      case NextStep::kStale: co_return run_.tally.Stale(number);
      case NextStep::kFail:
      case NextStep::kAbort: co_return GiveUp(*failure);
    }
    run_.tally.Retry();
  }
}

Task<std::optional<FetchWorker::Failure>> FetchWorker::Try(juicefs::BlockId block,
                                                           const Attempt& attempt) {
  auto& pool = run_.parts.disk_pool;
  auto& cache = run_.parts.cache;
  auto room = co_await Offload(pool, [&] { return cache.Reserve(block); });
  if (!room) co_return Failure{room.error(), StepAfterStore(room.error())};

  auto object = co_await Fetch(block, attempt.number > 1);
  if (!object) co_return Failure{object.error(), StepAfterFetch(object.error(), attempt)};

  run_.committer.Announce();
  Status unpacked;
  auto staged = co_await Offload(pool, [&]() -> Result<StagedBlock> {
    unpacked = Unpack(block, *object);
    if (!unpacked) return unpacked.error();
    return cache.Stage(block, buffer_.AddTrailer(block),
                       block.size + juicefs::TrailerBytes(block.size), *std::move(room));
  });
  if (!staged) {
    run_.committer.AnnounceFailed();
    const auto step =
        unpacked ? StepAfterStore(staged.error()) : StepAfterFetch(staged.error(), attempt);
    co_return Failure{staged.error(), step};
  }
  auto published = co_await run_.committer.Commit(*std::move(staged));
  if (!published) co_return Failure{published.error(), StepAfterStore(published.error())};
  if (*published == Published::kAlreadyThere) {
    run_.tally.Found();
  } else {
    run_.tally.Fetched(block.size, !object->crc32c && !run_.parts.codec.authenticated());
  }
  co_return std::nullopt;
}

Task<Result<ObjectBytes>> FetchWorker::Fetch(juicefs::BlockId block, bool fresh_connection) {
  const Error stopped = Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
  const auto permit = co_await gate_.Enter();
  // The permit of a stopped worker may have admitted this one: it must not take bandwidth any more.
  if (!permit || run_.aborted || co_await Stopping()) co_return stopped;
  const auto pause = run_.bandwidth.With(
      [&](TokenBucket& bucket) { return bucket.Take(block.size, run_.parts.clock.Now()); });
  if (pause > Duration::zero() && !co_await SleepFor(pause)) co_return stopped;
  if (run_.aborted || co_await Stopping()) co_return stopped;

  const std::string key =
      run_.parts.volume_name + "/" + juicefs::BlockKey(block, run_.parts.hash_prefix);
  run_.tally.Request();
  ReadRequest request;
  request.key = key;
  request.fresh_connection = fresh_connection;
  auto read = co_await store_.Read(request, buffer_.ObjectSpace(block));
  if (!read) co_return std::move(read).error().Within(key);
  run_.tally.Received(read->size);
  co_return read;
}

Status FetchWorker::Unpack(juicefs::BlockId block, const ObjectBytes& object) {
  auto status = buffer_.Unpack(block, object);
  if (status && run_.limits.require_checksum && !object.crc32c &&
      !run_.parts.codec.authenticated()) {
    status = Fail(ErrorCode::kCorrupt,
                  "the store gives no checksum, and --require-checksum asks for one",
                  Reason::kNoChecksum);
  }
  if (!status) {
    return std::move(status).error().Within(juicefs::BlockKey(block, run_.parts.hash_prefix));
  }
  return {};
}

Task<bool> FetchWorker::WaitToRetry(std::size_t attempt, SteadyTime give_up) {
  const auto& clock = run_.parts.clock;
  while (clock.Now() < give_up && !run_.aborted) {
    if (!co_await SleepFor(PauseBefore(attempt, random_)) || co_await Stopping()) co_return false;
    if (run_.retries.With([&](auto& budget) { return budget.TryTake(clock.Now()); }))
      co_return true;
  }
  co_return false;
}

void FetchWorker::GiveUp(const Failure& failure) {
  run_.tally.Failed(failure.error);
  const bool tripped =
      run_.breaker.With([&](auto& breaker) { return breaker.OnFailure(failure.error); });
  if (failure.step != NextStep::kAbort && !tripped) return;
  run_.abort_reason.With([&](auto& reason) {
    if (!reason) reason = failure.error;
  });
  run_.aborted = true;
}

}  // namespace prewarm::agent
