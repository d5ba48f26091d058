#include "agent/warm/fetch_worker.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/async/deadline.h"
#include "common/async/offload.h"
#include "common/base/check.h"
#include "common/juicefs/trailer.h"

namespace prewarm::agent {
namespace {

constexpr std::size_t RoundUp(std::size_t bytes) {
  constexpr auto kAlignment = BlockCache::kAlignment;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t PlainBufferBytes(std::uint32_t block_size) {
  return RoundUp(block_size + juicefs::TrailerBytes(block_size));
}

std::size_t ObjectBufferBytes(const juicefs::BlockCodec& codec, std::uint32_t block_size) {
  return codec.identity() ? 0 : RoundUp(codec.MaxObjectBytes(block_size));
}

}  // namespace

void FetchWorker::Free::operator()(std::byte* memory) const { std::free(memory); }

std::size_t FetchWorker::BufferBytes(const juicefs::BlockCodec& codec, std::uint32_t block_size) {
  return PlainBufferBytes(block_size) + ObjectBufferBytes(codec, block_size);
}

FetchWorker::FetchWorker(FetchRun& run, ObjectStore& store, RequestGate& gate, std::uint64_t seed)
    : run_(run), store_(store), gate_(gate), random_(seed) {
  const auto block_size = run.plan.block_size();
  const auto plain = PlainBufferBytes(block_size);
  const auto total = BufferBytes(run.parts.codec, block_size);
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(BlockCache::kAlignment, total)));
  PREWARM_CHECK(memory_ != nullptr, "no memory for a block buffer within the budget");
  plain_ = {memory_.get(), plain};
  object_ = {memory_.get() + plain, total - plain};
}

Task<void> FetchWorker::Work() {
  while (!run_.aborted && !co_await Stopping()) {
    const auto number = run_.cursor.Next();
    if (!number) co_return;
    co_await Warm(*number);
  }
}

Task<void> FetchWorker::Warm(std::uint64_t number) {
  const auto block = run_.plan.At(number);
  const auto give_up = run_.parts.clock.Now() + run_.limits.retry_patience;
  Attempt attempt{.maximum = run_.limits.attempts};
  for (;; ++attempt.number) {
    auto failure = co_await Try(block, attempt);
    if (!failure) {
      run_.retries.With([&](auto& budget) { budget.OnSuccess(attempt.number > 1); });
      run_.breaker.With([](auto& breaker) { breaker.OnSuccess(); });
      co_return;
    }
    if (failure->error.code == ErrorCode::kCancelled) co_return;
    run_.tally.SawError(failure->error.reason);
    if (failure->error.reason == Reason::kThrottled) run_.pushback = true;
    switch (failure->step) {
      case NextStep::kRetry:
        if (!co_await WaitToRetry(attempt.number, give_up)) co_return GiveUp(*failure);
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
    const auto size = block.size + juicefs::TrailerBytes(block.size);
    return cache.Stage(block, plain_.first(RoundUp(size)), size, *std::move(room));
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

Task<Result<FetchWorker::Object>> FetchWorker::Fetch(juicefs::BlockId block,
                                                     bool fresh_connection) {
  const Error stopped = Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
  const auto permit = co_await gate_.Enter();
  if (!permit) co_return stopped;
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
  auto read = co_await store_.Read(request, ObjectBuffer(block));
  if (!read) co_return std::move(read).error().Within(key);
  run_.tally.Received(read->size);
  co_return Object{read->size, read->crc32c};
}

std::span<std::byte> FetchWorker::ObjectBuffer(juicefs::BlockId block) const {
  const auto& codec = run_.parts.codec;
  return codec.identity() ? plain_.first(block.size)
                          : object_.first(codec.MaxObjectBytes(block.size));
}

Status FetchWorker::Unpack(juicefs::BlockId block, const Object& object) {
  const auto& codec = run_.parts.codec;
  const auto name = [&] { return juicefs::BlockKey(block, run_.parts.hash_prefix); };
  const auto stored = ObjectBuffer(block).first(object.size);
  if (codec.identity() && object.size != block.size) {
    return Fail(ErrorCode::kCorrupt,
                name() + ": the object has " + std::to_string(object.size) +
                    " bytes, its key says " + std::to_string(block.size),
                Reason::kWrongLength);
  }
  if (object.crc32c && juicefs::Crc32c(stored) != *object.crc32c) {
    return Fail(ErrorCode::kCorrupt, name() + ": the bytes do not match the object's checksum",
                Reason::kChecksumMismatch);
  }
  if (run_.limits.require_checksum && !object.crc32c && !codec.authenticated()) {
    return Fail(ErrorCode::kCorrupt,
                name() + ": the store gives no checksum, and --require-checksum asks for one",
                Reason::kNoChecksum);
  }
  const auto data = plain_.first(block.size);
  if (!codec.identity()) {
    if (auto decoded = codec.Decode(stored, data); !decoded) {
      return std::move(decoded).error().Within(name());
    }
  }
  juicefs::WriteTrailer(data, plain_.subspan(block.size, juicefs::TrailerBytes(block.size)));
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
