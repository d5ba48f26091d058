#include "agent/warm/warm_engine.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "agent/warm/warm_run.h"
#include "common/base/check.h"

namespace prewarm::agent {
namespace {

std::vector<std::unique_ptr<IoThread>> StartThreads(std::size_t wanted) {
  const auto usual = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
  std::vector<std::unique_ptr<IoThread>> threads(wanted != 0 ? wanted : usual);
  for (auto& thread : threads) thread = std::make_unique<IoThread>();
  return threads;
}

RunQueue::Budgets BudgetsOf(const EngineOptions& options) {
  RunQueue::Budgets budgets;
  budgets.memory_bytes = options.memory_bytes;
  budgets.requests = options.max_requests;
  // Requests in flight, as many blocks again between fetch and name, and a batch being synced.
  budgets.blocks = 2 * options.max_requests + 2 * Committer::kBatch;
  return budgets;
}

}  // namespace

WarmEngine::WarmEngine(const Clock& clock, EngineOptions options)
    : options_(options),
      buffers_(options.memory_bytes),
      threads_(StartThreads(options.fetch_threads)),
      desk_(clock, BudgetsOf(options), threads_) {}

WarmEngine::~WarmEngine() {
  PREWARM_CHECK(runs_.empty(), "a run outlives its engine");
  desk_.Close();
  for (auto& thread : threads_) thread->Join();
}

Status WarmEngine::CheckFits(const juicefs::BlockCodec& codec, std::uint32_t block_size) const {
  const auto two = 2 * BlockBuffer::BytesNeeded(codec, block_size);
  if (two <= options_.memory_bytes) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "the memory budget must hold at least two blocks, which need " +
                  std::to_string((two >> 20) + 1) + " MiB (--buffer-size)");
}

void WarmEngine::Stop() {
  stopped_ = true;
  for (auto* run : runs_) run->Stop();
}

Task<void> WarmEngine::Drain() {
  if (runs_.empty()) co_return;
  const auto signal = std::make_shared<EndSignal>(co_await boost::asio::this_coro::executor);
  draining_.push_back(signal);
  co_await signal->Wait();
}

void WarmEngine::Enter(WarmRun& run) { runs_.push_back(&run); }

void WarmEngine::Leave(WarmRun& run) {
  std::erase(runs_, &run);
  if (!runs_.empty()) return;
  buffers_.Trim();
  for (const auto& signal : std::exchange(draining_, {})) signal->Set();
}

}  // namespace prewarm::agent
