// All objects of one resource, kept up to date by list and watch: a level-based cache. Reflector<T>
// holds values that the caller's Parse makes of each object, so an object as JSON never outlives
// its arrival. What to ask when is decided by ReflectorMachine (pure). Lives on one executor.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "controller/kube/kube_api.h"
#include "controller/kube/reflector_machine.h"
#include "controller/kube/resource.h"

namespace prewarm::controller::kube {

struct ReflectorRequest {
  Resource resource;
  std::string ns{};  // empty: all
  std::string label_selector{};
  std::string field_selector{};
  bool metadata_only = false;  // PartialObjectMetadata: for what is needed of many objects
  ReflectorOptions options{};
};

struct ReflectorHooks {
  // The object came, changed or went: look it up. During the call the cache is as after the change;
  // after a relist it is whole before the first call.
  std::function<void(const ObjectKey&)> changed{};
  // The cache became complete (again), or ReflectorOptions::resync has passed: look at everything.
  std::function<void()> look_at_all{};
  // state() changed.
  std::function<void(ReflectorState)> state_changed{};
};

// What does not depend on T: asking, retrying, telling.
class ReflectorLoop {
 public:
  ReflectorLoop(const ReflectorLoop&) = delete;
  ReflectorLoop& operator=(const ReflectorLoop&) = delete;
  virtual ~ReflectorLoop() = default;

  // Until it is stopped.
  Task<void> Run();

  // True once the cache shows a whole list; it stays true while it ages. A resource that the server
  // does not have is an empty list.
  [[nodiscard]] bool synced() const { return machine_.synced(); }
  [[nodiscard]] ReflectorState state() const { return machine_.state(); }
  // Why it is not kWatching; empty then.
  [[nodiscard]] const std::string& trouble() const { return machine_.trouble(); }
  [[nodiscard]] const ReflectorCounters& counters() const { return machine_.counters(); }
  [[nodiscard]] std::optional<SteadyTime> heard_at() const { return machine_.heard_at(); }
  [[nodiscard]] std::size_t size() const { return machine_.objects(); }  // of the cache
  [[nodiscard]] const Resource& resource() const { return request_.resource; }

 protected:
  ReflectorLoop(KubeApi& api, const Clock& clock, ReflectorRequest request, ReflectorHooks hooks,
                std::uint64_t seed);

 private:
  // The cache's side. Stage: keep for a list that is under way; false: not of interest.
  virtual bool Stage(const ObjectKey& key, const boost::json::object& object) = 0;
  virtual void DropStaged() = 0;
  virtual void TakeStaged() = 0;  // the staged objects become the cache
  // The same for one object of a watch.
  virtual bool Put(const ObjectKey& key, const boost::json::object& object) = 0;
  virtual void Erase(const ObjectKey& key) = 0;

  Task<void> Page(ReflectorMachine::ListPage page);
  Task<void> Follow(ReflectorMachine::WatchFrom watch);
  void TakePage(const boost::json::value& body);
  void TakeItem(const boost::json::object& object);
  Status TakeEvent(WatchEventType type, const boost::json::object& object);
  void Finish(const ReflectorMachine::Update& update);
  void TellChanged(const ObjectKey& key);
  void TellState();
  void TellResync();

  KubeApi& api_;
  const Clock& clock_;
  const ReflectorRequest request_;
  const ReflectorHooks hooks_;
  ReflectorMachine machine_;
  ReflectorState told_ = ReflectorState::kStarting;
};

template <class T>
class Reflector final : public ReflectorLoop {
 public:
  // Makes a value of an object; nothing: not of interest. It must take any object whatever, and
  // takes no field's presence or type for granted.
  using Parse = std::function<std::optional<T>(const boost::json::object&)>;
  using Objects = std::map<ObjectKey, T>;

  Reflector(KubeApi& api, const Clock& clock, ReflectorRequest request, Parse parse,
            ReflectorHooks hooks, std::uint64_t seed)
      : ReflectorLoop(api, clock, std::move(request), std::move(hooks), seed),
        parse_(std::move(parse)) {}

  [[nodiscard]] const Objects& objects() const { return objects_; }
  [[nodiscard]] const T* Find(const ObjectKey& key) const {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : &found->second;
  }

 private:
  bool Stage(const ObjectKey& key, const boost::json::object& object) override {
    auto value = parse_(object);
    if (!value) return staged_.erase(key), false;
    staged_.insert_or_assign(key, *std::move(value));
    return true;
  }
  void DropStaged() override { staged_.clear(); }
  void TakeStaged() override { objects_ = std::exchange(staged_, {}); }
  bool Put(const ObjectKey& key, const boost::json::object& object) override {
    auto value = parse_(object);
    if (!value) return objects_.erase(key), false;
    objects_.insert_or_assign(key, *std::move(value));
    return true;
  }
  void Erase(const ObjectKey& key) override { objects_.erase(key); }

  const Parse parse_;
  Objects objects_;
  Objects staged_;
};

}  // namespace prewarm::controller::kube
