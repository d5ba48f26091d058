// PredictFinish: steps from one finished task to the next, as rates only change then. With very
// many tasks the later steps are longer than that, so that the work stays bounded.
#include <algorithm>
#include <limits>
#include <utility>

#include "controller/plan/fair_share.h"
#include "controller/plan/forecast.h"

namespace prewarm::controller {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// So many steps are exact. After them a step is at least this part of the time simulated so far:
// ten times as much time then costs 2,300 steps, however many tasks end in it, and no end is
// foretold later than by that part.
constexpr int kExactSteps = 2'000;
constexpr double kCoarseStep = 0.001;

// A node's work in the order in which it does it.
struct Worker {
  double rate = 0;
  std::vector<const QueuedTask*> queue;
  std::size_t current = 0;
  double remaining = 0;  // bytes of the current task

  void TakeUp() {
    if (current < queue.size()) remaining = static_cast<double>(queue[current]->missing_bytes);
  }
};

class Simulation {
 public:
  Simulation(std::vector<Worker> workers, double budget)
      : workers_(std::move(workers)), budget_(budget) {
    for (std::size_t at = 0; at < workers_.size(); ++at) {
      workers_[at].TakeUp();
      Begin(at);
    }
  }

  std::map<TaskKey, double> Run() && {
    for (int step = 0; !claims_.empty(); ++step) {
      ShareOut<double>(claims_, budget_);
      const auto next = TimeToNextFinish();
      Advance(step < kExactSteps ? next : std::max(next, now_ * kCoarseStep));
    }
    return std::move(finish_);
  }

 private:
  // Lets the worker claim for its current task, if it has one.
  void Begin(std::size_t owner) {
    const auto& worker = workers_[owner];
    if (worker.current == worker.queue.size()) return;
    const Claim<double> claim{worker.queue[worker.current]->rank, worker.rate, owner, 0};
    claims_.insert(std::ranges::upper_bound(claims_, claim, ServedBefore<double>), claim);
  }

  [[nodiscard]] double TimeToNextFinish() const {
    double least = kInfinite;
    for (const auto& claim : claims_) {
      if (claim.share > 0) least = std::min(least, workers_[claim.owner].remaining / claim.share);
    }
    return least;
  }

  void Advance(double seconds) {
    now_ += seconds;
    std::vector<std::size_t> done;
    for (const auto& claim : claims_) {
      if (claim.share > 0 && Work(claim, claim.share * seconds)) done.push_back(claim.owner);
    }
    std::ranges::sort(done);
    std::erase_if(claims_,
                  [&](const auto& claim) { return std::ranges::binary_search(done, claim.owner); });
    for (const auto owner : done) Begin(owner);
  }

  // Takes `bytes` off the queue until now; true if a task ended, in a long step perhaps several.
  bool Work(const Claim<double>& claim, double bytes) {
    // Tasks that end together must not be torn apart by the last bit of a division.
    constexpr double kTogether = 1 + 1e-9;
    auto& worker = workers_[claim.owner];
    const auto begin = worker.current;
    while (worker.current < worker.queue.size() && worker.remaining <= bytes * kTogether) {
      bytes = std::max(bytes - worker.remaining, 0.0);
      const auto& task = *worker.queue[worker.current++];
      finish_[{task.prewarm, task.node}] = now_ - bytes / claim.share;
      worker.TakeUp();
    }
    worker.remaining -= bytes;
    return worker.current != begin;
  }

  std::vector<Worker> workers_;
  double budget_;
  double now_ = 0;
  std::vector<Claim<double>> claims_;  // of workers that have work, sorted by ServedBefore
  std::map<TaskKey, double> finish_;
};

bool DoneBefore(const QueuedTask* a, const QueuedTask* b) {
  if (a->rank != b->rank) return GoesBefore(a->rank, b->rank);
  return a->prewarm < b->prewarm;
}

}  // namespace

std::map<TaskKey, double> PredictFinish(std::span<const Node> nodes,
                                        std::span<const QueuedTask> tasks,
                                        const FleetLimits& limits) {
  std::map<TaskKey, double> finish;
  std::map<std::string, Worker> by_node;
  for (const auto& node : nodes) {
    // A node that was never measured is taken for able to use the whole budget, if there is one.
    const auto expected = ExpectedRate(node, limits);
    const auto rate = expected != 0 ? expected : limits.origin;
    if (node.connected && rate > 0) by_node[node.name].rate = static_cast<double>(rate);
  }
  for (const auto& task : tasks) {
    const auto at = by_node.find(task.node);
    if (at == by_node.end()) continue;
    if (task.missing_bytes == 0) {
      finish[{task.prewarm, task.node}] = 0;  // needs no bandwidth, so it waits for none
    } else {
      at->second.queue.push_back(&task);
    }
  }
  std::vector<Worker> busy;
  double usable = 0;
  for (auto& [name, worker] : by_node) {
    if (worker.queue.empty()) continue;
    std::ranges::sort(worker.queue, DoneBefore);
    usable += worker.rate;
    busy.push_back(std::move(worker));
  }
  const auto budget = limits.origin == 0 ? kInfinite : static_cast<double>(limits.origin);
  if (usable > budget) {
    finish.merge(Simulation(std::move(busy), budget).Run());
    return finish;
  }
  // Nobody ever waits for the budget: each node is a world of its own.
  for (auto& worker : busy) {
    std::vector<Worker> alone;
    alone.push_back(std::move(worker));
    finish.merge(Simulation(std::move(alone), kInfinite).Run());
  }
  return finish;
}

}  // namespace prewarm::controller
