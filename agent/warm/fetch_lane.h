// One run on one fetch thread: its store client there (hence its own connections) and its blocks
// under way. Lives on the executor of that thread; made, and once closed destroyed, anywhere.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

#include "agent/store/object_store.h"
#include "agent/warm/buffer_pool.h"
#include "agent/warm/fetch_desk.h"
#include "agent/warm/fetch_run.h"
#include "common/async/task.h"
#include "common/async/task_group.h"

namespace prewarm::agent {

class FetchLane {
 public:
  FetchLane(FetchRun& run, FetchDesk& desk, BufferPool& buffers,
            const boost::asio::io_context::executor_type& executor,
            std::unique_ptr<ObjectStore> store);

  // Takes the block through fetch and publication and tells the desk, also after Stop.
  void Start(const BlockJob& job);
  // Cuts the requests under way.
  void Stop();
  // When no more blocks are granted: waits for the last one and drops the connections.
  Task<void> Close();

 private:
  Task<void> Warm(BlockJob job);
  // One attempt, from room to name.
  Task<BlockEnd> Try(const BlockJob& job, BlockBuffer& buffer);
  struct Place {
    bool present = false;  // somebody else stored the block meanwhile
    SpaceReservation room;
  };
  Result<Place> FindPlace(juicefs::BlockId block);  // blocking
  Task<Result<ObjectBytes>> Read(const BlockStart& start, std::span<std::byte> into);
  Task<BlockEnd> Store(const BlockStart& start, BlockBuffer& buffer, ObjectBytes object,
                       SpaceReservation room);
  // Blocking: from object bytes to the block's plain bytes.
  Status Unpack(juicefs::BlockId block, BlockBuffer& buffer, const ObjectBytes& object);

  FetchRun& run_;
  FetchDesk& desk_;
  BufferPool& buffers_;
  TaskGroup group_;
  std::unique_ptr<ObjectStore> store_;
};

}  // namespace prewarm::agent
