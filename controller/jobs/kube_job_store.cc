#include "controller/jobs/kube_job_store.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "common/base/token_bucket.h"
#include "controller/jobs/known_prewarms.h"
#include "controller/jobs/prewarm_object.h"
#include "controller/kube/kube_client.h"
#include "controller/kube/lease.h"
#include "controller/kube/objects.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

constexpr auto kKeyLifetime = std::chrono::hours(24);
constexpr std::size_t kWritesAtOnce = 8;
constexpr int kTriesPerWrite = 4;
// Over all prewarms, after as many at once. Who saves waits, and has more to say in one write then.
// The claims of a new leader are not counted: until they are done nobody works.
constexpr double kStatusWritesPerSecond = 200;
// An age is the epoch of acceptance and a count within it, so that ages grow without anything being
// kept beside the lease.
constexpr int kAgeBits = 32;

kube::Resource Prewarms() { return {kPrewarmGroup, kPrewarmVersion, "prewarms"}; }

Result<kube::ObjectKey> KeyOf(const Prewarm& prewarm) {
  TRY(auto name, ObjectNameOf(prewarm.id, prewarm.name_space));
  return kube::ObjectKey{prewarm.name_space, std::move(name)};
}

std::string RandomSuffix() {
  std::random_device random;
  return std::to_string(random()) + std::to_string(random());
}

bool EndedLater(const Prewarm& a, const Prewarm& b) { return *a.ended_at > *b.ended_at; }

// The answer of a JobStore call, made by coroutines on a loop that runs only while the call does.
class KubeJobStore final : public JobStore {
 public:
  KubeJobStore(const Clock& clock, KubeJobStoreOptions options)
      : clock_(clock), options_(std::move(options)), instance_(RandomSuffix()) {}

  Status Open(kube::KubeConfig config) {
    TRY(api_, kube::KubeClient::Make(loop_.get_executor(), files_, clock_, std::move(config)));
    return {};
  }

  Result<std::optional<Lease>> TryAcquire(const std::string& holder) override {
    return Run(Acquire(holder + "/" + instance_));
  }
  // As the process named itself, without what this store added.
  [[nodiscard]] std::string SeenHolder() const override {
    const auto holder = lease_ ? lease_->seen_holder() : std::string();
    return holder.substr(0, holder.rfind('/'));
  }
  Status Renew() override { return Run(Prove()); }
  Status Release() override { return Run(GiveUp()); }
  Result<std::vector<Prewarm>> Load(std::size_t ended) override { return Run(LoadAll(ended)); }
  Result<std::vector<Prewarm>> Save(std::vector<Prewarm> prewarms) override {
    return Run(SaveAll(std::move(prewarms)));
  }
  Result<std::optional<Prewarm>> FindByKey(const std::string& name_space, const std::string& key,
                                           WallTime now) override {
    if (key.empty()) return std::optional<Prewarm>();
    return Run(NewestOfKey(name_space, key, now));
  }
  Result<std::optional<Prewarm>> Find(const std::string& id) override { return Run(FindOne(id)); }
  Result<std::size_t> Prune(std::size_t keep, WallTime before) override {
    return Run(PruneEnded(keep, before));
  }
  [[nodiscard]] std::string IdOf(const std::string& name_space,
                                 const std::string& name) const override {
    return PrewarmId(name_space, name);
  }

 private:
  using Objects = std::vector<PrewarmObject>;

  template <class T>
  T Run(Task<T> task) {
    std::optional<T> answer;
    TaskGroup group(loop_.get_executor());
    group.Spawn("job store", Into(std::move(task), answer));
    loop_.restart();
    loop_.run();
    return *std::move(answer);
  }
  template <class T>
  static Task<void> Into(Task<T> task, std::optional<T>& answer) {
    answer.emplace(co_await std::move(task));
  }

  // ---- leading

  Task<Result<std::optional<Lease>>> Acquire(std::string holder) {
    if (!lease_ || holder_ != holder) {
      holder_ = holder;
      lease_.emplace(*api_, clock_,
                     kube::KubeLease::Options{options_.lease, holder, options_.patience});
      CO_TRY(const auto objects, co_await List("", ""));
      for (const auto& object : objects) NoteEpoch(object);
    }
    epoch_ = 0;
    const auto begin = clock_.Now();
    CO_TRY(const auto acquired, co_await lease_->TryAcquire(floor_));
    if (!acquired) co_return std::optional<Lease>();
    renewed_ = begin;
    epoch_ = *acquired;
    floor_ = std::max(floor_, epoch_);
    accepted_ = 0;
    known_.Clear();
    if (auto claimed = co_await ClaimAll(); !claimed) {
      epoch_ = 0;
      co_return std::move(claimed).error();
    }
    co_return Lease{epoch_};
  }

  // What a leader before us believes of these objects is out of date from here on.
  Task<Status> ClaimAll() {
    CO_TRY(auto objects, co_await List("", ""));
    std::vector<Task<Status>> claims;
    for (auto& object : objects) {
      NoteEpoch(object);
      known_.Take(object);
      if (object.accepted && !IsFinal(object.prewarm.state)) {
        claims.push_back(WriteStatus(std::move(object.prewarm)));
      }
    }
    co_return co_await AllOf(std::move(claims));
  }

  Task<Status> Prove() {
    if (epoch_ == 0) co_return NotLeading();
    const auto begin = clock_.Now();
    auto renewed = co_await lease_->Renew();
    if (renewed) renewed_ = begin;
    if (!renewed && renewed.error().code == ErrorCode::kConflict) epoch_ = 0;
    co_return renewed;
  }

  Task<Status> GiveUp() {
    if (std::exchange(epoch_, 0) == 0) co_return Status();
    co_return co_await lease_->Release();
  }

  // Before anything is written. A lease renewed lately cannot have been taken over.
  Task<Status> BeLeader() {
    if (epoch_ == 0) co_return NotLeading();
    if (clock_.Now() - renewed_ < options_.patience / 2) co_return Status();
    co_return co_await Prove();
  }

  static Error NotLeading() {
    return Fail(ErrorCode::kConflict, "this process does not lead: it does not hold the lease");
  }

  void NoteEpoch(const PrewarmObject& object) {
    floor_ = std::max({floor_, object.epoch, object.prewarm.age >> kAgeBits});
  }

  // ---- reading

  Task<Result<Objects>> List(std::string name_space, std::string label_selector) {
    Objects objects;
    std::optional<Error> broken;
    kube::ListRequest request{Prewarms(), std::move(name_space), std::move(label_selector), "",
                              500};
    CO_TRY_STATUS(co_await kube::ListObjects(*api_, std::move(request), [&](const auto& item) {
      auto object = ReadPrewarmObject(item);
      if (object) {
        objects.push_back(*std::move(object));
      } else if (!broken) {
        broken = object.error();
      }
    }));
    if (broken) co_return *std::move(broken);
    co_return objects;
  }

  Task<Result<std::optional<PrewarmObject>>> Read(kube::ObjectKey key) {
    auto object = co_await kube::GetObject(*api_, Prewarms(), key);
    if (!object && object.error().code == ErrorCode::kNotFound) {
      co_return std::optional<PrewarmObject>();
    }
    CO_TRY(const auto found, std::move(object));
    CO_TRY(auto read, ReadPrewarmObject(found));
    co_return std::optional(std::move(read));
  }

  Task<Result<std::vector<Prewarm>>> LoadAll(std::size_t most_ended) {
    CO_TRY(auto objects, co_await List("", ""));
    std::vector<Prewarm> prewarms;
    std::vector<Prewarm> ended;
    for (auto& object : objects) {
      if (!object.accepted) continue;
      auto& into = IsFinal(object.prewarm.state) ? ended : prewarms;
      into.push_back(std::move(object.prewarm));
    }
    std::ranges::sort(ended, EndedLater);
    if (ended.size() > most_ended) ended.resize(most_ended);
    std::ranges::move(ended, std::back_inserter(prewarms));
    std::ranges::sort(prewarms, {}, &Prewarm::age);
    co_return prewarms;
  }

  Task<Result<std::optional<Prewarm>>> FindOne(std::string id) {
    const auto dot = id.find('.');
    if (dot == std::string::npos) co_return std::optional<Prewarm>();
    CO_TRY(auto object, co_await Read({id.substr(0, dot), id.substr(dot + 1)}));
    if (!object || !object->accepted) co_return std::optional<Prewarm>();
    co_return std::optional(std::move(object->prewarm));
  }

  Task<Result<std::optional<Prewarm>>> NewestOfKey(std::string name_space, std::string key,
                                                   WallTime now) {
    CO_TRY(auto objects, co_await List(name_space, std::string(kKeyLabel) + "=" + KeyHash(key)));
    std::optional<Prewarm> newest;
    for (auto& object : objects) {
      auto& prewarm = object.prewarm;
      if (!object.accepted || prewarm.idempotency_key != key) continue;
      if (prewarm.created_at + kKeyLifetime <= now) continue;
      if (!newest || newest->age < prewarm.age) newest = std::move(prewarm);
    }
    co_return newest;
  }

  // ---- writing

  Task<Result<std::vector<Prewarm>>> SaveAll(std::vector<Prewarm> prewarms) {
    CO_TRY_STATUS(co_await BeLeader());
    for (auto& prewarm : prewarms) CO_TRY_STATUS(co_await Prepare(prewarm));
    std::vector<Task<Status>> writes;
    writes.reserve(prewarms.size());
    for (const auto& prewarm : prewarms) writes.push_back(Write(prewarm));
    CO_TRY_STATUS(co_await AllOf(std::move(writes)));
    co_return prewarms;
  }

  // Everything that can be refused is, before anything is written.
  Task<Status> Prepare(Prewarm& prewarm) {
    CO_TRY(const auto key, KeyOf(prewarm));
    CO_TRY_STATUS(NewPrewarmObject(prewarm));
    if (known_.Find(prewarm.id) == nullptr) {
      CO_TRY(const auto object, co_await Read(key));
      if (object) known_.Take(*object);
    }
    if (const auto* known = known_.Find(prewarm.id)) {
      if (IsFinal(known->state) && known->state != prewarm.state) {
        co_return Fail(ErrorCode::kConflict, "prewarm " + prewarm.id + " has ended: it is " +
                                                 std::string(StateName(known->state)) +
                                                 " and stays so");
      }
      if (prewarm.age == 0) prewarm.age = known->age;
    }
    if (prewarm.age == 0) prewarm.age = (epoch_ << kAgeBits) + ++accepted_;
    co_return Status();
  }

  Task<Status> Write(Prewarm prewarm) {
    CO_TRY(const auto key, KeyOf(prewarm));
    if (known_.Find(prewarm.id) == nullptr) {
      CO_TRY(auto object, NewPrewarmObject(prewarm));
      CO_TRY(const auto created,
             co_await kube::CreateObject(*api_, Prewarms(), key.ns, std::move(object)));
      CO_TRY(const auto read, ReadPrewarmObject(created));
      known_.Take(read);
    } else if (known_.IsSpecToWrite(prewarm)) {
      json::object patch{{"spec", PrewarmSpecObject(prewarm)}};
      CO_TRY_STATUS(co_await Patch(prewarm, std::move(patch), ""));
    } else if (known_.IsEdited(prewarm)) {  // which generation that was, the object says
      CO_TRY(const auto now, co_await Read(key));
      if (now) known_.Take(*now);
    }
    known_.Hold(prewarm);
    co_await SleepFor(pace_.Take(1, real_.Now()));
    co_return co_await WriteStatus(std::move(prewarm));
  }

  Task<Status> WriteStatus(Prewarm prewarm) {
    const auto context = known_.ContextOf(prewarm.id, epoch_, clock_.WallNow());
    json::object patch{{"status", PrewarmStatusObject(prewarm, context)}};
    co_return co_await Patch(prewarm, std::move(patch), "status");
  }

  // A user may change an object at any time, which is no reason not to write our part of it;
  // another leader is.
  Task<Status> Patch(Prewarm prewarm, json::object patch, std::string subresource) {
    CO_TRY(const auto key, KeyOf(prewarm));
    for (int tries = 1;; ++tries) {
      const auto* known = known_.Find(prewarm.id);
      if (known == nullptr) co_return Status();  // deleted by somebody: there is nothing to keep
      patch["metadata"] = {{"resourceVersion", known->resource_version}};
      auto written = co_await kube::PatchObject(*api_, Prewarms(), key, patch, subresource);
      if (written) {
        CO_TRY(const auto read, ReadPrewarmObject(*written));
        known_.Take(read);
        co_return Status();
      }
      const auto code = written.error().code;
      if (code == ErrorCode::kNotFound) {
        known_.Forget(prewarm.id);
        co_return Status();
      }
      const bool look = code == ErrorCode::kConflict || code == ErrorCode::kInvalidArgument;
      if (!look || tries == kTriesPerWrite) co_return std::move(written).error();
      CO_TRY(const auto now, co_await Read(key));
      if (!now) continue;
      if (now->epoch > epoch_) {
        epoch_ = 0;
        co_return Fail(ErrorCode::kConflict,
                       "prewarm " + prewarm.id + " was taken over by a newer leader");
      }
      if (code == ErrorCode::kInvalidArgument) co_return std::move(written).error();
      known_.Take(*now);
    }
  }

  // ---- pruning

  Task<Result<std::size_t>> PruneEnded(std::size_t keep, WallTime before) {
    CO_TRY_STATUS(co_await BeLeader());
    CO_TRY(auto objects, co_await List("", ""));
    std::erase_if(objects, [](const auto& object) { return !object.prewarm.ended_at; });
    std::ranges::sort(
        objects, [](const auto& a, const auto& b) { return EndedLater(a.prewarm, b.prewarm); });
    std::size_t removed = 0;
    for (std::size_t at = keep; at < objects.size(); ++at) {
      const auto& prewarm = objects[at].prewarm;
      if (*prewarm.ended_at >= before) continue;
      CO_TRY(const auto key, KeyOf(prewarm));
      const auto gone =
          co_await kube::DeleteObject(*api_, Prewarms(), key, {objects[at].uid, "", "Background"});
      if (!gone && gone.error().code != ErrorCode::kNotFound) co_return gone.error();
      known_.Forget(prewarm.id);
      ++removed;
    }
    co_return removed;
  }

  // ---- many requests at once

  // Runs them, a few at a time; the answer is the first failure.
  Task<Status> AllOf(std::vector<Task<Status>> tasks) {
    TaskGroup group(loop_.get_executor());
    std::size_t next = 0;
    Status answer;
    for (std::size_t lane = 0; lane < std::min(kWritesAtOnce, tasks.size()); ++lane) {
      group.Spawn("job store write", Lane(tasks, next, answer));
    }
    co_await group.Join();
    co_return answer;
  }
  static Task<void> Lane(std::vector<Task<Status>>& tasks, std::size_t& next, Status& answer) {
    while (next < tasks.size() && answer) {
      auto done = co_await std::move(tasks[next++]);
      if (!done && answer) answer = std::move(done);
    }
  }

  const Clock& clock_;
  const KubeJobStoreOptions options_;
  const std::string instance_;
  boost::asio::io_context loop_{1};
  boost::asio::thread_pool files_{1};
  std::unique_ptr<kube::KubeClient> api_;
  std::string holder_;
  std::optional<kube::KubeLease> lease_;
  SteadyTime renewed_{};
  std::uint64_t epoch_ = 0;     // 0: does not lead
  std::uint64_t floor_ = 0;     // the largest epoch that was seen
  std::uint64_t accepted_ = 0;  // in this epoch
  KnownPrewarms known_;
  const SystemClock real_;  // clock_ may stand still, writes do not
  TokenBucket pace_{kStatusWritesPerSecond, kStatusWritesPerSecond, real_.Now()};
};

}  // namespace

Result<std::unique_ptr<JobStore>> OpenKubeJobStore(kube::KubeConfig config, const Clock& clock,
                                                   KubeJobStoreOptions options) {
  auto store = std::make_unique<KubeJobStore>(clock, std::move(options));
  TRY_STATUS(store->Open(std::move(config)));
  return std::unique_ptr<JobStore>(std::move(store));
}

}  // namespace prewarm::controller
