// The machine alone against a model of the API server that does everything wrong that a server, a
// proxy or a network can do: it converges, and asks no more often than promised.
#include "controller/kube/reflector_machine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <random>
#include <set>

namespace prewarm::controller::kube {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

using Objects = std::map<ObjectKey, std::string>;  // name to version

struct Change {
  std::uint64_t revision = 0;
  bool deleted = false;
  ObjectKey key;
};

constexpr std::uint64_t kFirstRevision = 1;

// The server's state, and all changes that led to it.
class ModelServer {
 public:
  explicit ModelServer(std::mt19937_64& random) : random_(random) {}

  void ChangeSomething() {
    const ObjectKey key{"ns" + std::to_string(Pick(2)), "name" + std::to_string(Pick(12))};
    const bool deleted = objects_.contains(key) && Pick(3) == 0;
    ++revision_;
    if (deleted) {
      objects_.erase(key);
    } else {
      objects_[key] = std::to_string(revision_);
    }
    changes_.push_back({revision_, deleted, key});
  }
  void ForgetThePast() { forgotten_ = revision_; }

  [[nodiscard]] const Objects& objects() const { return objects_; }
  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  [[nodiscard]] bool Forgot(std::uint64_t revision) const { return revision < forgotten_; }
  [[nodiscard]] std::vector<Change> Since(std::uint64_t revision) const {
    return {changes_.begin() + static_cast<std::ptrdiff_t>(revision - kFirstRevision),
            changes_.end()};
  }
  std::uint64_t Pick(std::uint64_t below) { return random_() % below; }

 private:
  std::mt19937_64& random_;
  Objects objects_;
  std::vector<Change> changes_;
  std::uint64_t revision_ = kFirstRevision;
  std::uint64_t forgotten_ = 0;
};

// A machine with the cache that its edge would keep, a clock that only tests move, and a server
// that fails while `faults` is set.
class Rig {
 public:
  Rig(std::uint64_t seed, ReflectorOptions options)
      : random_(seed), server_(random_), machine_(options, now_, seed + 1) {}

  ModelServer& server() { return server_; }
  ReflectorMachine& machine() { return machine_; }
  [[nodiscard]] const Objects& cache() const { return cache_; }
  [[nodiscard]] SteadyTime now() const { return now_; }
  void set_faults(bool faults) { faults_ = faults; }
  void set_knows_streams(bool knows) { knows_streams_ = knows; }

  // One step of the machine, and what the world does meanwhile.
  void Step() {
    const auto step = machine_.Next(now_);
    if (const auto* pause = std::get_if<ReflectorMachine::Pause>(&step)) {
      ASSERT_GT(pause->length, Duration::zero());
      Pass(pause->length);
    } else if (const auto* page = std::get_if<ReflectorMachine::ListPage>(&step)) {
      Pass(milliseconds(server_.Pick(200)));
      AnswerPage(*page);
    } else {
      AnswerWatch(std::get<ReflectorMachine::WatchFrom>(step));
    }
  }
  void Run(Duration time) {
    for (const auto end = now_ + time; now_ < end;) Step();
  }

 private:
  void Pass(Duration time) { now_ += time; }

  bool Happens(unsigned percent) { return faults_ && server_.Pick(100) < percent; }

  void Apply(const ReflectorMachine::Update& update) {
    using Staged = ReflectorMachine::Update::Staged;
    if (update.staged == Staged::kDrop || update.staged == Staged::kEmpty) staged_.clear();
    if (update.staged != Staged::kTake && update.staged != Staged::kEmpty) return;
    const auto before = std::exchange(cache_, std::exchange(staged_, {}));
    // What is told is exactly what differs.
    std::set<ObjectKey> told(update.changed.begin(), update.changed.end());
    EXPECT_EQ(told.size(), update.changed.size()) << "something was told twice";
    for (const auto& [key, version] : before) {
      const auto after = cache_.find(key);
      EXPECT_EQ(after == cache_.end() || after->second != version, told.contains(key));
    }
    for (const auto& [key, version] : cache_) {
      if (!before.contains(key)) EXPECT_TRUE(told.contains(key));
    }
  }

  void Fail(unsigned status, std::optional<Duration> retry_after = {}) {
    Apply(
        machine_.Failed({.status = status, .retry_after = retry_after, .message = "fault"}, now_));
  }

  // True if one was made.
  bool MakeFault() {
    constexpr std::array<unsigned, 9> kStatuses = {0, 0, 401, 403, 404, 429, 500, 503, 504};
    if (!Happens(30)) return false;
    const auto status = kStatuses[server_.Pick(kStatuses.size())];
    if (server_.Pick(3) == 0) Pass(seconds(server_.Pick(40)));  // a stall
    const bool throttled = status == 429 || status == 503;
    if (throttled) {
      const seconds wait(server_.Pick(5));
      quiet_until_ = now_ + wait;
      Fail(status, wait);
    } else {
      Fail(status);
    }
    return true;
  }

  void NoteRequest() {
    EXPECT_GE(now_, quiet_until_) << "came before Retry-After had passed";
    quiet_until_ = {};
  }

  void AnswerPage(const ReflectorMachine::ListPage& page) {
    NoteRequest();
    if (page.continue_from.empty()) {
      staged_.clear();
      snapshot_ = server_.objects();
      snapshot_revision_ = server_.revision();
      position_ = 0;
    }
    if (MakeFault()) return;
    if (!page.continue_from.empty() && Happens(10)) return Fail(410);
    if (page.limit > 3 && Happens(10)) {
      return Apply(machine_.Failed({.too_long = true, .message = "long"}, now_));
    }
    auto item = std::next(snapshot_.begin(), static_cast<std::ptrdiff_t>(position_));
    for (std::uint32_t n = 0; n < page.limit && item != snapshot_.end(); ++n, ++item, ++position_) {
      staged_[item->first] = item->second;
      machine_.TakeItem(item->first, item->second, true);
    }
    if (server_.Pick(2) == 0) server_.ChangeSomething();  // after the list's moment
    const bool more = item != snapshot_.end();
    Apply(machine_.PageDone(std::to_string(snapshot_revision_), more ? "more" : "", now_));
  }

  void AnswerWatch(const ReflectorMachine::WatchFrom& watch) {
    NoteRequest();
    if (watch.initial_events && !knows_streams_) return Fail(server_.Pick(2) == 0 ? 400 : 422);
    if (MakeFault()) return;
    std::uint64_t from = server_.revision();
    if (!watch.initial_events) {
      from = std::stoull(watch.resource_version);
      if (server_.Forgot(from) && server_.Pick(2) == 0) return Fail(410);
    }
    machine_.WatchOpened(now_);
    if (server_.Forgot(from) && !watch.initial_events) return Fail(410);  // in the stream
    if (watch.initial_events) {
      staged_.clear();
      for (const auto& [key, version] : server_.objects()) {
        if (Happens(2)) return Fail(0);  // cut
        if (!Deliver({std::stoull(version), false, key})) return;
      }
      Apply(machine_.Bookmark(std::to_string(from), true, now_));
    }
    Follow(from, watch.timeout);
  }

  // The stream after its begin, until something ends it.
  void Follow(std::uint64_t from, seconds timeout) {
    const auto end = now_ + timeout;
    while (now_ < end) {
      Pass(milliseconds(server_.Pick(30'000)));
      if (server_.Pick(2) == 0) server_.ChangeSomething();
      auto changes = server_.Since(from);
      if (Happens(5)) std::shuffle(changes.begin(), changes.end(), random_);
      if (Happens(5) && from > 3) changes = server_.Since(from - 3);  // some of them again
      if (Happens(5) && !changes.empty()) changes.insert(changes.begin(), changes.back());
      for (const auto& change : changes) {
        if (Happens(3)) return Fail(0);
        if (!Deliver(change)) return;
        from = std::max(from, change.revision);
      }
      if (Happens(5)) return Fail(server_.Pick(2) == 0 ? 410 : 500);
      if (Happens(3)) Pass(minutes(10));  // a stall, until the deadline
      if (Happens(3)) return Fail(0);
      if (server_.Pick(4) == 0 && server_.Since(from).empty()) {
        Apply(machine_.Bookmark(std::to_string(server_.revision()), false, now_));
      }
      machine_.TakeResync(now_);
    }
    Apply(machine_.WatchDone(now_));
  }

  // False if it ended the watch.
  bool Deliver(const Change& change) {
    const auto version = std::to_string(change.revision);
    switch (machine_.Judge(change.deleted, change.key, version, now_)) {
      case ReflectorMachine::Verdict::kStage:
        staged_[change.key] = version;
        machine_.TakeItem(change.key, version, true);
        return true;
      case ReflectorMachine::Verdict::kPut:
        cache_[change.key] = version;
        EXPECT_TRUE(machine_.Put(change.key, version, true));
        return true;
      case ReflectorMachine::Verdict::kErase: EXPECT_EQ(cache_.erase(change.key), 1U); return true;
      case ReflectorMachine::Verdict::kIgnore: return true;
      case ReflectorMachine::Verdict::kStop:
        Apply(machine_.Failed({.message = "stopped"}, now_));
        return false;
    }
    return false;
  }

  std::mt19937_64 random_;
  SteadyTime now_{hours(1)};
  ModelServer server_;
  ReflectorMachine machine_;
  Objects cache_;
  Objects staged_;
  Objects snapshot_;
  std::uint64_t snapshot_revision_ = 0;
  std::size_t position_ = 0;
  SteadyTime quiet_until_{};
  bool faults_ = false;
  bool knows_streams_ = true;
};

ReflectorOptions SmallPages() {
  ReflectorOptions options;
  options.page_size = 5;
  return options;
}

// Nothing of what the server has is missing, and nothing is too much.
void ExpectCaughtUp(Rig& rig) {
  for (int n = 0; n < 20 && rig.cache() != rig.server().objects(); ++n) rig.Step();
  EXPECT_EQ(rig.cache(), rig.server().objects());
}

TEST(ReflectorMachine, ConvergesInTenThousandRunsWithFaults) {
  const std::uint64_t first = std::random_device{}();
  std::uint64_t disorders = 0;
  for (std::uint64_t seed = first; seed < first + 10'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rig rig(seed, SmallPages());
    rig.set_knows_streams(seed % 2 == 0);
    for (int n = 0; n < 10; ++n) rig.server().ChangeSomething();
    rig.set_faults(true);
    const auto begin = rig.now();
    for (int part = 0; part < 5; ++part) {
      rig.Run(minutes(3));
      if (rig.server().Pick(3) == 0) rig.server().ForgetThePast();
    }
    // At most three lists at once, and one in twenty seconds after them.
    const auto passed = std::chrono::duration<double>(rig.now() - begin).count();
    EXPECT_LE(static_cast<double>(rig.machine().counters().lists), 4 + passed / 20);
    EXPECT_LE(static_cast<double>(rig.machine().counters().watches), 15 + 1.1 * passed);
    disorders += rig.machine().counters().disorders;

    rig.set_faults(false);
    // What was lost without a trace is found by the regular list.
    rig.Run(minutes(90));
    while (!rig.machine().synced() || rig.machine().state() != ReflectorState::kWatching) {
      rig.Step();
    }
    ExpectCaughtUp(rig);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(disorders, 1'000U) << "the model did not do what it is for";
}

// A machine by itself, past its first list with one object in it.
class Listed {
 public:
  explicit Listed(ReflectorOptions options = {}) : machine(options, now, 1) {
    EXPECT_TRUE(std::get<ReflectorMachine::WatchFrom>(machine.Next(now)).initial_events);
    machine.WatchOpened(now);
    EXPECT_EQ(machine.Judge(false, kKey, "5", now), ReflectorMachine::Verdict::kStage);
    machine.TakeItem(kKey, "5", true);
    const auto update = machine.Bookmark("10", true, now);
    EXPECT_EQ(update.changed, std::vector<ObjectKey>{kKey});
    EXPECT_TRUE(update.look_at_all);
  }
  // Goes on until the machine wants something other than to wait.
  ReflectorMachine::Step NextRequest() {
    for (;;) {
      auto step = machine.Next(now);
      const auto* pause = std::get_if<ReflectorMachine::Pause>(&step);
      if (pause == nullptr) return step;
      now += pause->length;
    }
  }
  ReflectorMachine::WatchFrom NextWatch() {
    return std::get<ReflectorMachine::WatchFrom>(NextRequest());
  }

  const ObjectKey kKey{"ns", "name"};  // NOLINT(readability-identifier-naming)
  SteadyTime now{hours(1)};
  ReflectorMachine machine;
};

TEST(ReflectorMachine, GoesOnWatchingWhereTheLastWatchEnded) {
  Listed listed;
  auto& machine = listed.machine;
  EXPECT_EQ(machine.Judge(false, listed.kKey, "12", listed.now), ReflectorMachine::Verdict::kPut);
  EXPECT_TRUE(machine.Put(listed.kKey, "12", true));
  machine.Bookmark("20", false, listed.now);
  machine.WatchDone(listed.now);
  const auto next = listed.NextWatch();
  EXPECT_EQ(next.resource_version, "20");
  EXPECT_FALSE(next.initial_events);
  EXPECT_GE(next.timeout, seconds(300));
  EXPECT_LE(next.timeout, seconds(600));
}

TEST(ReflectorMachine, TakesAVersionThatIsNoNumberAsItIs) {
  Listed listed;
  auto& machine = listed.machine;
  EXPECT_EQ(machine.Judge(false, listed.kKey, "abc", listed.now), ReflectorMachine::Verdict::kPut);
  machine.Put(listed.kKey, "abc", true);
  machine.WatchDone(listed.now);
  EXPECT_EQ(listed.NextWatch().resource_version, "abc");
}

TEST(ReflectorMachine, ListsAgainAfterAnEventOutOfOrder) {
  Listed listed;
  auto& machine = listed.machine;
  EXPECT_EQ(machine.Judge(true, listed.kKey, "9", listed.now), ReflectorMachine::Verdict::kStop);
  machine.Failed({.message = "stopped"}, listed.now);
  EXPECT_TRUE(listed.NextWatch().initial_events);
  EXPECT_EQ(machine.counters().disorders, 1U);
}

TEST(ReflectorMachine, ForgetsWhatIsNoLongerOfInterest) {
  Listed listed;
  auto& machine = listed.machine;
  machine.Judge(false, listed.kKey, "12", listed.now);
  EXPECT_TRUE(machine.Put(listed.kKey, "12", false));
  machine.Judge(false, listed.kKey, "13", listed.now);
  EXPECT_FALSE(machine.Put(listed.kKey, "13", false));
  EXPECT_EQ(machine.Judge(true, listed.kKey, "14", listed.now), ReflectorMachine::Verdict::kIgnore);
}

TEST(ReflectorMachine, KeepsWhatItKnowsWhileAServerThatJustStartedLacksTheResource) {
  Listed listed;
  auto& machine = listed.machine;
  const auto first = machine.Failed({.status = 404, .message = "not found"}, listed.now);
  EXPECT_TRUE(first.changed.empty());
  EXPECT_EQ(machine.state(), ReflectorState::kFailing);
  const auto begin = listed.now;
  ReflectorMachine::Update update;
  while (machine.state() != ReflectorState::kMissing) {
    listed.NextRequest();
    update = machine.Failed({.status = 404, .message = "not found"}, listed.now);
  }
  EXPECT_GE(listed.now - begin, seconds(30));
  EXPECT_LE(listed.now - begin, minutes(3));
  EXPECT_EQ(update.changed, std::vector<ObjectKey>{listed.kKey});
  EXPECT_EQ(update.staged, ReflectorMachine::Update::Staged::kEmpty);
  EXPECT_TRUE(machine.synced());
}

TEST(ReflectorMachine, TakesAMissingResourceForAnEmptyListAndLooksAgainSlowly) {
  SteadyTime now{hours(1)};
  ReflectorMachine machine({}, now, 1);
  EXPECT_FALSE(machine.synced());
  int requests = 0;
  for (const auto end = now + minutes(30); now < end;) {
    auto step = machine.Next(now);
    if (const auto* pause = std::get_if<ReflectorMachine::Pause>(&step)) {
      now += pause->length;
      continue;
    }
    ++requests;
    machine.Failed({.status = 404, .message = "not found"}, now);
    EXPECT_EQ(machine.state(), ReflectorState::kMissing);
    EXPECT_TRUE(machine.synced());
  }
  EXPECT_GE(requests, 40);
  EXPECT_LE(requests, 120);
}

TEST(ReflectorMachine, SaysThatItMayNotLookAndKeepsWhatItSaw) {
  Listed listed;
  const auto update =
      listed.machine.Failed({.status = 403, .message = "pods is forbidden"}, listed.now);
  EXPECT_TRUE(update.changed.empty());
  EXPECT_EQ(listed.machine.state(), ReflectorState::kForbidden);
  EXPECT_EQ(listed.machine.trouble(), "pods is forbidden");
  EXPECT_TRUE(listed.machine.synced());
  const auto begin = listed.now;
  listed.NextWatch();
  EXPECT_GE(listed.now - begin, seconds(15));
  listed.machine.WatchOpened(listed.now);
  EXPECT_EQ(listed.machine.state(), ReflectorState::kWatching);
  EXPECT_EQ(listed.machine.trouble(), "");
}

TEST(ReflectorMachine, DoesNotCallACutWatchAFailureUnlessTheNextOneCannotBegin) {
  Listed listed;
  listed.now += minutes(1);
  listed.machine.Failed({.message = "reset by peer"}, listed.now);
  EXPECT_EQ(listed.machine.state(), ReflectorState::kWatching);
  EXPECT_EQ(listed.machine.counters().failures, 1U);
  listed.NextWatch();
  listed.machine.Failed({.message = "connection refused"}, listed.now);
  EXPECT_EQ(listed.machine.state(), ReflectorState::kFailing);
  EXPECT_EQ(listed.machine.trouble(), "connection refused");
  listed.NextWatch();
  listed.machine.WatchOpened(listed.now);
  EXPECT_EQ(listed.machine.state(), ReflectorState::kWatching);
  listed.machine.Failed({.message = "cut at once"}, listed.now);
  EXPECT_EQ(listed.machine.state(), ReflectorState::kFailing);
}

TEST(ReflectorMachine, ListsAgainAfterAnHourEvenIfNothingSeemsWrong) {
  Listed listed;
  const auto begin = listed.now;
  std::uint64_t version = 10;
  listed.machine.WatchDone(listed.now);
  for (;;) {
    const auto watch = listed.NextWatch();
    if (watch.initial_events) break;
    listed.machine.WatchOpened(listed.now);
    listed.now += watch.timeout;
    listed.machine.Bookmark(std::to_string(++version), false, listed.now);
    listed.machine.WatchDone(listed.now);
    ASSERT_LT(listed.now - begin, hours(2));
  }
  EXPECT_GE(listed.now - begin, hours(1));
  EXPECT_LE(listed.now - begin, minutes(75 + 10));
}

// Each list succeeds and each watch after it is refused: nothing fails twice in a row.
TEST(ReflectorMachine, ListsNoMoreOftenThanPromisedWhereEveryWatchEndsIn410) {
  Listed listed;
  auto& machine = listed.machine;
  const auto end = listed.now + minutes(30);
  std::uint64_t version = 10;
  while (listed.now < end) {
    machine.Failed({.status = 410, .message = "too old"}, listed.now);
    ASSERT_TRUE(listed.NextWatch().initial_events);
    machine.WatchOpened(listed.now);
    machine.Bookmark(std::to_string(++version), true, listed.now);
  }
  EXPECT_LE(machine.counters().lists, 3U + 30 * 60 / 20 + 1);
  EXPECT_GE(machine.counters().lists, 30U * 60 / 20);
}

TEST(ReflectorMachine, WatchesNoMoreOftenThanPromisedWhereEveryWatchEndsAfterOneEvent) {
  Listed listed;
  auto& machine = listed.machine;
  const auto end = listed.now + minutes(5);
  std::uint64_t version = 10;
  while (listed.now < end) {
    const auto text = std::to_string(++version);
    ASSERT_EQ(machine.Judge(false, listed.kKey, text, listed.now), ReflectorMachine::Verdict::kPut);
    machine.Put(listed.kKey, text, true);
    machine.WatchDone(listed.now);
    ASSERT_FALSE(listed.NextWatch().initial_events);
    machine.WatchOpened(listed.now);
    ASSERT_LT(machine.counters().watches, 1'000U);
  }
  EXPECT_LE(machine.counters().watches, 10U + 5 * 60 + 2);
}

TEST(ReflectorMachine, AsksForSmallerPagesWhereAPageIsTooLong) {
  ReflectorOptions options;
  options.streaming = false;
  SteadyTime now{hours(1)};
  ReflectorMachine machine(options, now, 1);
  std::uint32_t limit = 0;
  for (int n = 0; n < 20; ++n) {
    auto step = machine.Next(now);
    if (const auto* pause = std::get_if<ReflectorMachine::Pause>(&step)) {
      now += pause->length;
      continue;
    }
    limit = std::get<ReflectorMachine::ListPage>(step).limit;
    machine.Failed({.too_long = true, .message = "too long"}, now);
  }
  EXPECT_EQ(limit, 1U);
}

TEST(ReflectorMachine, RefusesMoreObjectsThanItMayHold) {
  for (const bool streaming : {true, false}) {
    ReflectorOptions options;
    options.most_objects = 3;
    options.streaming = streaming;
    SteadyTime now{hours(1)};
    ReflectorMachine machine(options, now, 1);
    machine.Next(now);
    for (int n = 0; n < 4; ++n) {
      const ObjectKey key{"", std::to_string(n)};
      const bool staged =
          !streaming || machine.Judge(false, key, "5", now) == ReflectorMachine::Verdict::kStage;
      if (staged) machine.TakeItem(key, "5", true);
      EXPECT_EQ(staged, !streaming || n < 3);
    }
    const auto update = streaming ? machine.Failed({.message = "stopped"}, now)
                                  : machine.PageDone("10", "more", now);
    EXPECT_EQ(update.staged, ReflectorMachine::Update::Staged::kDrop);
    EXPECT_EQ(machine.state(), ReflectorState::kFailing);
    EXPECT_NE(machine.trouble().find("more than 3 objects"), std::string::npos);
    EXPECT_GE(std::get<ReflectorMachine::Pause>(machine.Next(now)).length, seconds(15));
  }
}

TEST(ReflectorMachine, ListsAgainWhereTheServerNeverReachesTheVersionSeen) {
  Listed listed;
  int refusals = 0;
  for (;;) {
    listed.machine.Failed({.status = 504, .message = "Too large resource version"}, listed.now);
    ++refusals;
    if (listed.NextWatch().initial_events) break;
    ASSERT_LT(refusals, 10);
  }
  EXPECT_EQ(refusals, 5);
}

TEST(ReflectorMachine, RemindsOfAResyncOnceInTenMinutes) {
  Listed listed;
  int reminders = 0;
  for (int minute = 0; minute < 60; ++minute) {
    if (listed.machine.TakeResync(listed.now)) ++reminders;
    listed.now += minutes(1);
  }
  EXPECT_EQ(reminders, 5);
}

TEST(ReflectorMachine, AsksForPagesWhereStreamedListsAreUnknown) {
  Rig rig(7, SmallPages());
  rig.set_knows_streams(false);
  for (int n = 0; n < 40; ++n) rig.server().ChangeSomething();
  rig.Run(minutes(1));
  EXPECT_TRUE(rig.machine().synced());
  EXPECT_GT(rig.machine().counters().pages, 1U);
  EXPECT_EQ(rig.machine().counters().lists, 2U) << "the refused one and the paged one";
}

}  // namespace
}  // namespace prewarm::controller::kube
