// What tests of the block cache share: a volume, options that do not depend on how full the machine
// is, aligned buffers with known bytes, and publishing in one step.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/cache/block_cache.h"
#include "tests/rig/block_oracle.h"

namespace prewarm::rig {

inline constexpr const char* kUuid = "12345678-9abc-4def-8012-3456789abcde";

inline agent::CacheOptions CacheAt(std::vector<std::string> directories) {
  agent::CacheOptions options;
  options.directories = std::move(directories);
  options.uuid = kUuid;
  options.batch_sync = false;  // do not flush everybody's pages on a shared machine
  options.free_space_ratio = 0.0;
  options.free_space_margin = 0.0;
  options.minimum_free_ratio = 0.0;
  return options;
}

inline juicefs::BlockId ABlock(std::uint64_t slice, std::uint32_t index = 0,
                               std::uint32_t size = 100000) {
  return {juicefs::SliceId(slice), index, size};
}

inline OracleBlock Oracle(juicefs::BlockId block) {
  return {block.slice.value, block.index, block.size};
}

struct FreeMemory {
  void operator()(std::byte* memory) const { std::free(memory); }
};

struct BlockBuffer {
  std::unique_ptr<std::byte, FreeMemory> memory;
  std::size_t padded = 0;
  std::size_t size = 0;  // data + trailer
  std::span<std::byte> bytes() { return {memory.get(), padded}; }
};

inline BlockBuffer BufferWith(juicefs::BlockId block) {
  const std::vector<std::byte> file = OracleFile(Oracle(block));
  constexpr std::size_t kStep = agent::BlockCache::kAlignment;
  BlockBuffer buffer;
  buffer.size = file.size();
  buffer.padded = (file.size() + kStep - 1) / kStep * kStep;
  buffer.memory.reset(static_cast<std::byte*>(std::aligned_alloc(kStep, buffer.padded)));
  std::memset(buffer.memory.get(), 0xee, buffer.padded);
  std::memcpy(buffer.memory.get(), file.data(), file.size());
  return buffer;
}

inline Result<agent::StagedBlock> StageBlock(agent::BlockCache& cache, juicefs::BlockId block) {
  TRY(auto room, cache.Reserve(block));
  BlockBuffer buffer = BufferWith(block);
  return cache.Stage(block, buffer.bytes(), buffer.size, std::move(room));
}

inline Result<agent::Published> Name(agent::BlockCache& cache, agent::StagedBlock staged) {
  std::vector<agent::StagedBlock> batch;
  batch.push_back(std::move(staged));
  return std::move(cache.Publish(std::move(batch)).front());
}

inline Result<agent::Published> PublishBlock(agent::BlockCache& cache, juicefs::BlockId block) {
  TRY(auto staged, StageBlock(cache, block));
  return Name(cache, std::move(staged));
}

inline Expected ExpectedOfUs(mode_t mode = 0600) { return {mode, ::geteuid(), ::getegid()}; }

}  // namespace prewarm::rig
