#include "agent/warm/buffer_pool.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace prewarm::agent {

AlignedMemory BufferPool::Take(std::size_t bytes) {
  return state_.With([&](State& state) {
    const auto fits = std::find_if(state.free.rbegin(), state.free.rend(),
                                   [&](const auto& memory) { return memory.size() == bytes; });
    if (fits != state.free.rend()) {
      AlignedMemory memory = std::move(*fits);
      state.free.erase(std::prev(fits.base()));
      return memory;
    }
    while (state.usage.bytes + bytes > budget_ && !state.free.empty()) {
      state.usage.bytes -= state.free.front().size();
      state.free.erase(state.free.begin());
    }
    PREWARM_CHECK(state.usage.bytes + bytes <= budget_, "more buffers taken than the budget holds");
    state.usage.bytes += bytes;
    state.usage.peak = std::max(state.usage.peak, state.usage.bytes);
    return AlignedMemory(bytes);
  });
}

void BufferPool::GiveBack(AlignedMemory memory) {
  state_.With([&](State& state) { state.free.push_back(std::move(memory)); });
}

void BufferPool::Trim() {
  state_.With([](State& state) {
    for (const auto& memory : state.free) state.usage.bytes -= memory.size();
    state.free.clear();
  });
}

BufferPool::Usage BufferPool::usage() {
  return state_.With([](const State& state) { return state.usage; });
}

}  // namespace prewarm::agent
