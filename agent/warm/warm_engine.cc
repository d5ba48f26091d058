#include "agent/warm/warm_engine.h"

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "agent/warm/fetch_worker.h"
#include "agent/warm/request_gate.h"
#include "common/async/deadline.h"
#include "common/async/io_thread.h"
#include "common/async/offload.h"
#include "common/async/task_group.h"

namespace prewarm::agent {
namespace {

constexpr auto kAdaptWindow = std::chrono::milliseconds(500);
constexpr std::uint64_t kScanPart = 64ULL * 256;

std::size_t DefaultFetchThreads() {
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
}

// The share of `total` that the part `index` of `parts` gets; at least one.
std::size_t Share(std::size_t total, std::size_t parts, std::size_t index) {
  return std::max<std::size_t>(total / parts + (index < total % parts ? 1 : 0), 1);
}

}  // namespace

// One event loop with its own store client (hence its own connections) and its own workers.
class WarmEngine::FetchThread {
 public:
  explicit FetchThread(std::size_t workers) : workers_(workers) {}
  FetchThread(const FetchThread&) = delete;
  FetchThread& operator=(const FetchThread&) = delete;
  ~FetchThread() { thread_.Join(); }

  Status OpenStore(const MakeStore& make_store) {
    TRY(store_, make_store());
    return {};
  }

  Task<void> Run(FetchRun& run, std::size_t target) {
    co_await On(thread_.executor(), RunHere(run, target));
  }

  void SetTarget(std::size_t target) {
    boost::asio::post(thread_.executor(), [this, target] {
      if (gate_ != nullptr) gate_->SetTarget(target);
    });
  }

  void Stop() {
    boost::asio::post(thread_.executor(), [this] {
      stopping_ = true;
      if (group_ != nullptr) group_->Stop();
    });
  }

 private:
  Task<void> RunHere(FetchRun& run, std::size_t target) {
    if (stopping_) co_return;
    RequestGate gate(thread_.executor(), target);
    TaskGroup group(thread_.executor());
    gate_ = &gate;
    group_ = &group;
    std::vector<std::unique_ptr<FetchWorker>> workers;
    for (std::size_t i = 0; i < workers_; ++i) {
      workers.push_back(std::make_unique<FetchWorker>(run, *store_, gate, std::random_device{}()));
      group.Spawn("fetch worker", workers.back()->Work());
    }
    co_await group.Join();
    gate_ = nullptr;
    group_ = nullptr;
  }

  const std::size_t workers_;
  IoThread thread_;  // before the store, whose connections live on its loop
  RequestGate* gate_ = nullptr;
  TaskGroup* group_ = nullptr;
  bool stopping_ = false;
  std::unique_ptr<ObjectStore> store_;
};

WarmEngine::WarmEngine(const WarmParts& parts, EngineOptions options)
    : parts_(parts), options_(options) {}

WarmEngine::~WarmEngine() = default;

Result<std::unique_ptr<WarmEngine>> WarmEngine::Create(const WarmParts& parts,
                                                       EngineOptions options,
                                                       std::uint32_t block_size,
                                                       const MakeStore& make_store) {
  const auto per_worker = BlockBuffer::BytesNeeded(parts.codec, block_size);
  const auto fitting = options.memory_bytes / per_worker;
  if (fitting < 2) {
    return Fail(ErrorCode::kInvalidArgument,
                "the memory budget must hold at least two blocks, which need " +
                    std::to_string((2 * per_worker >> 20) + 1) + " MiB (--buffer-size)");
  }
  // Requests in flight, as many blocks again between fetch and name, and a batch being synced.
  const auto workers =
      std::min<std::size_t>(fitting, 2 * options.max_requests + 2 * Committer::kBatch);
  auto threads = options.fetch_threads != 0 ? options.fetch_threads : DefaultFetchThreads();
  threads = std::min(threads, workers);
  std::unique_ptr<WarmEngine> engine(new WarmEngine(parts, options));
  for (std::size_t i = 0; i < threads; ++i) {
    engine->threads_.push_back(std::make_unique<FetchThread>(Share(workers, threads, i)));
    TRY_STATUS(engine->threads_.back()->OpenStore(make_store));
  }
  return engine;
}

Task<EngineOutcome> WarmEngine::Fetch(const juicefs::BlockPlan& plan, const Presence& presence) {
  FetchRun run(parts_, plan, presence, options_.fetch);
  if (!stopping_) {
    current_ = &run;
    TaskGroup group(co_await boost::asio::this_coro::executor);
    target_ = ConcurrencyController({.maximum = options_.max_requests}).target();
    TaskGroup adapting(co_await boost::asio::this_coro::executor);
    adapting.Spawn("adapt concurrency", AdaptUntilDone(run));
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      group.Spawn("fetch thread", threads_[i]->Run(run, Share(target_, threads_.size(), i)));
    }
    co_await group.Join();
    adapting.Stop();
    co_await adapting.Join();
    current_ = nullptr;
  }
  EngineOutcome outcome;
  outcome.counts = run.tally.Read();
  outcome.samples = run.tally.Samples();
  outcome.stale = run.tally.TakeStale();
  outcome.aborted = run.abort_reason.With([](const auto& reason) { return reason; });
  outcome.stopped = stopping_;
  co_return outcome;
}

Task<void> WarmEngine::AdaptUntilDone(FetchRun& run) {
  ConcurrencyController controller({.maximum = options_.max_requests});
  auto last_bytes = run.tally.Read().wire_bytes;
  auto last_time = parts_.clock.Now();
  while (co_await SleepFor(kAdaptWindow)) {
    const auto bytes = run.tally.Read().wire_bytes;
    const auto now = parts_.clock.Now();
    const double seconds = std::chrono::duration<double>(now - last_time).count();
    if (run.pushback.exchange(false)) {
      controller.OnPushback();
    } else {
      controller.OnWindow(static_cast<double>(bytes - last_bytes) / seconds);
    }
    last_bytes = bytes;
    last_time = now;
    target_ = controller.target();
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      threads_[i]->SetTarget(Share(target_, threads_.size(), i));
    }
  }
}

Task<Result<PlannedWork>> WarmEngine::Scan(const juicefs::BlockPlan& plan, Presence& presence) {
  PlannedWork total;
  Status failed;
  TaskGroup group(co_await boost::asio::this_coro::executor);
  struct Shared {
    const juicefs::BlockPlan& plan;
    Presence& presence;
    BlockCache& cache;
    PlannedWork& total;
    Status& failed;
    boost::asio::thread_pool& pool;
    std::uint64_t next = 0;
  } shared{plan, presence, parts_.cache, total, failed, parts_.disk_pool};
  total.directories.resize(parts_.cache.directory_count());
  const auto scan_parts = [](Shared& s) -> Task<void> {
    while (s.next < s.plan.block_count() && s.failed) {
      const auto first = s.next;
      const auto last = std::min(first + kScanPart, s.plan.block_count());
      s.next = last;
      auto part = co_await Offload(
          s.pool, [&] { return ScanPresence(s.cache, s.plan, first, last, s.presence); });
      if (part) {
        s.total.Add(*part);
      } else {
        s.failed = part.error();
      }
    }
  };
  for (std::size_t i = 0; i < options_.disk_threads; ++i) {
    group.Spawn("presence scan", scan_parts(shared));
  }
  co_await group.Join();
  if (!failed) co_return failed.error();
  co_return total;
}

void WarmEngine::Stop() {
  stopping_ = true;
  for (auto& thread : threads_) thread->Stop();
}

std::optional<EngineProgress> WarmEngine::Progress() const {
  if (current_ == nullptr) return std::nullopt;
  return EngineProgress{current_->tally.Read(), target_};
}

}  // namespace prewarm::agent
