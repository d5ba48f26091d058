#include "agent/warm/fetch_lane.h"

#include <string>
#include <utility>

#include "common/async/offload.h"
#include "common/juicefs/trailer.h"

namespace prewarm::agent {
namespace {

BlockEnd Failed(const Error& error, NextStep step) { return {BlockFailure{error, step}, 0}; }

Error Stopped() { return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled); }

}  // namespace

FetchLane::FetchLane(FetchRun& run, FetchDesk& desk, BufferPool& buffers,
                     const boost::asio::io_context::executor_type& executor,
                     std::unique_ptr<ObjectStore> store)
    : run_(run), desk_(desk), buffers_(buffers), group_(executor), store_(std::move(store)) {}

void FetchLane::Start(const BlockJob& job) {
  if (group_.Spawn("block", Warm(job))) return;
  desk_.RequestEnded(job, 0);
  desk_.BlockEnded(job, Failed(Stopped(), NextStep::kFail));
}

void FetchLane::Stop() { group_.Stop(); }

Task<void> FetchLane::Close() {
  co_await group_.Join();
  store_.reset();
}

Task<void> FetchLane::Warm(BlockJob job) {
  BlockBuffer buffer(run_.parts.codec, run_.plan.block_size(),
                     buffers_.Take(job.grant.buffer_bytes));
  const auto end = co_await Try(job, buffer);
  // Before the desk gives the room in the budget to another block.
  buffers_.GiveBack(std::move(buffer).TakeMemory());
  desk_.BlockEnded(job, end);
}

Task<BlockEnd> FetchLane::Try(const BlockJob& job, BlockBuffer& buffer) {
  const auto& start = job.grant.start;
  auto place = co_await Offload(run_.parts.disk_pool, [&] { return FindPlace(start.block); });
  std::optional<Result<ObjectBytes>> object;
  if (place && !place->present) object = co_await Read(start, buffer.ObjectSpace(start.block));
  desk_.RequestEnded(job, object && *object ? (*object)->size : 0);

  if (!place) co_return Failed(place.error(), StepAfterStore(place.error()));
  if (place->present) {
    run_.tally.Found();
    co_return BlockEnd{};
  }
  if (!*object) co_return Failed(object->error(), StepAfterFetch(object->error(), start.attempt));
  co_return co_await Store(start, buffer, **object, std::move(place->room));
}

Result<FetchLane::Place> FetchLane::FindPlace(juicefs::BlockId block) {
  Place place;
  // The plan may be old: another run or a client may have stored the block since it was scanned.
  const auto state = run_.parts.cache.StateOf(block);
  place.present = state && (*state == BlockState::kWhole || *state == BlockState::kStaged);
  if (!place.present) {
    TRY(place.room, run_.parts.cache.Reserve(block));
  }
  return place;
}

Task<Result<ObjectBytes>> FetchLane::Read(const BlockStart& start, std::span<std::byte> into) {
  if (co_await Stopping()) co_return Stopped();
  const std::string key =
      run_.parts.volume_name + "/" + juicefs::BlockKey(start.block, run_.parts.hash_prefix);
  run_.tally.Request();
  ReadRequest request;
  request.key = key;
  request.fresh_connection = start.attempt.number > 1;
  auto read = co_await store_->Read(request, into);
  if (!read) co_return std::move(read).error().Within(key);
  run_.tally.Received(read->size);
  co_return read;
}

Task<BlockEnd> FetchLane::Store(const BlockStart& start, BlockBuffer& buffer, ObjectBytes object,
                                SpaceReservation room) {
  const auto block = start.block;
  run_.committer.Announce();
  Status unpacked;
  auto staged = co_await Offload(run_.parts.disk_pool, [&]() -> Result<StagedBlock> {
    unpacked = Unpack(block, buffer, object);
    if (!unpacked) return unpacked.error();
    return run_.parts.cache.Stage(block, buffer.AddTrailer(block),
                                  block.size + juicefs::TrailerBytes(block.size), std::move(room));
  });
  if (!staged) {
    run_.committer.AnnounceFailed();
    co_return Failed(staged.error(), unpacked ? StepAfterStore(staged.error())
                                              : StepAfterFetch(staged.error(), start.attempt));
  }
  const auto published = co_await run_.committer.Commit(*std::move(staged));
  if (!published) co_return Failed(published.error(), StepAfterStore(published.error()));
  if (*published == Published::kAlreadyThere) {
    run_.tally.Found();
  } else {
    run_.tally.Fetched(block.size, !object.crc32c && !run_.parts.codec.authenticated());
  }
  co_return BlockEnd{std::nullopt, block.size};
}

Status FetchLane::Unpack(juicefs::BlockId block, BlockBuffer& buffer, const ObjectBytes& object) {
  auto status = buffer.Unpack(block, object);
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

}  // namespace prewarm::agent
