#include "controller/kube/reflector_machine.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace prewarm::controller::kube {
namespace {

constexpr double kListBurst = 3;
constexpr double kWatchBurst = 10;
// Streamed lists in a row that may break before pages are asked for, which keep what was received.
constexpr unsigned kMostStreams = 2;
constexpr unsigned kMostRefusals = 5;
constexpr std::chrono::seconds kLived{5};
// The request that carries a streamed list is a short one: a server that takes it and never says
// that the list is complete must not hold us for long.
constexpr std::chrono::seconds kStreamTime{60};

double PerSecond(Duration between) { return 1 / std::chrono::duration<double>(between).count(); }

// Versions are opaque, but servers make them numbers that grow; where they are, they tell what is
// older. 0: not a number.
std::uint64_t Number(const std::string& version) {
  std::uint64_t number = 0;
  const auto* end = version.data() + version.size();
  const auto [stopped, error] = std::from_chars(version.data(), end, number);
  return error == std::errc() && stopped == end ? number : 0;
}

bool IsExpired(unsigned status) { return status == 410; }
// What a server answers that does not know streamed lists.
bool IsRefusedRequest(unsigned status) { return status == 400 || status == 422; }

}  // namespace

std::string_view StateName(ReflectorState state) {
  switch (state) {
    case ReflectorState::kStarting: return "starting";
    case ReflectorState::kWatching: return "watching";
    case ReflectorState::kMissing: return "missing";
    case ReflectorState::kForbidden: return "forbidden";
    case ReflectorState::kFailing: return "failing";
  }
  return "failing";
}

ReflectorMachine::ReflectorMachine(ReflectorOptions options, SteadyTime now, std::uint64_t seed)
    : options_(options),
      random_(seed),
      lists_(PerSecond(options.between_lists), kListBurst, now),
      watches_(PerSecond(options.between_watches), kWatchBurst, now),
      not_before_(now),
      pause_bound_(options.shortest_pause),
      page_size_(options.page_size),
      streaming_(options.streaming),
      resync_at_(now + options.resync),
      relist_at_(now + options.relist) {}

Duration ReflectorMachine::UpTo(Duration bound) {
  return Duration(std::uniform_int_distribution<Duration::rep>(0, bound.count())(random_));
}

ReflectorMachine::Step ReflectorMachine::Next(SteadyTime now) {
  if (now < not_before_) return Pause{not_before_ - now};
  if (mode_ == Mode::kWatchNext && now >= relist_at_) mode_ = Mode::kListNext;
  if (mode_ == Mode::kPaging) {
    ++counters_.pages;
    return ListPage{page_size_, continue_from_};
  }
  const bool list = mode_ == Mode::kListNext;
  if (!std::exchange(paid_, true)) {
    const auto wait = (list ? lists_ : watches_).Take(1, now);
    not_before_ = now + wait;
    if (wait > Duration::zero()) return Pause{wait};
  }
  paid_ = false;
  return list ? BeginList() : BeginWatch();
}

ReflectorMachine::Step ReflectorMachine::BeginList() {
  ++counters_.lists;
  staged_.clear();
  continue_from_.clear();
  if (!streaming_ || streams_failed_ >= kMostStreams) {
    mode_ = Mode::kPaging;
    ++counters_.pages;
    return ListPage{page_size_, {}};
  }
  mode_ = Mode::kStreaming;
  ++counters_.watches;
  heard_ = false;
  watch_opened_.reset();
  return WatchFrom{{}, true, kStreamTime};
}

ReflectorMachine::Step ReflectorMachine::BeginWatch() {
  mode_ = Mode::kWatching;
  ++counters_.watches;
  heard_ = false;
  watch_opened_.reset();
  const auto least = options_.watch_time.count();
  const std::chrono::seconds time(
      std::uniform_int_distribution<std::chrono::seconds::rep>(least, 2 * least)(random_));
  return WatchFrom{resource_version_, false, time};
}

void ReflectorMachine::TakeItem(const ObjectKey& key, const std::string& version,
                                bool of_interest) {
  if (of_interest) {
    staged_.insert_or_assign(key, version);
  } else {
    staged_.erase(key);
  }
}

ReflectorMachine::Update ReflectorMachine::PageDone(const std::string& resource_version,
                                                    const std::string& continue_token,
                                                    SteadyTime now) {
  Progress(now);
  if (staged_.size() > options_.most_objects) return TooMany(now);
  if (continue_token.empty() && resource_version.empty()) {
    return Failed({.message = "the list has no version"}, now);
  }
  if (continue_token.empty()) return ListComplete(resource_version, now);
  continue_from_ = continue_token;
  return {};
}

ReflectorMachine::Update ReflectorMachine::TooMany(SteadyTime now) {
  StateBecomes(ReflectorState::kFailing, "there are more than " +
                                             std::to_string(options_.most_objects) +
                                             " objects, which is more than this cache takes");
  PauseSlowly(now);
  return ListAgain();
}

ReflectorMachine::Update ReflectorMachine::ListComplete(const std::string& resource_version,
                                                        SteadyTime now) {
  Update update{.staged = Update::Staged::kTake};
  for (const auto& [key, version] : staged_) {
    const auto before = known_.find(key);
    if (before == known_.end() || before->second != version) update.changed.push_back(key);
  }
  for (const auto& [key, version] : known_) {
    if (!staged_.contains(key)) update.changed.push_back(key);
  }
  known_ = std::exchange(staged_, {});
  resource_version_ = resource_version;
  latest_ = Number(resource_version);
  mode_ = mode_ == Mode::kStreaming ? Mode::kWatching : Mode::kWatchNext;
  streams_failed_ = 0;
  // Not all caches at the same moment.
  relist_at_ = now + options_.relist + UpTo(options_.relist / 4);
  update.look_at_all = true;
  resync_at_ = now + options_.resync;
  synced_ = true;
  StateBecomes(ReflectorState::kWatching, {});
  return update;
}

void ReflectorMachine::WatchOpened(SteadyTime now) {
  watch_opened_ = now;
  heard_at_ = now;
  if (mode_ == Mode::kWatching) StateBecomes(ReflectorState::kWatching, {});
}

ReflectorMachine::Verdict ReflectorMachine::Judge(bool deleted, const ObjectKey& key,
                                                  const std::string& version, SteadyTime now) {
  Progress(now);
  heard_ = true;
  if (mode_ == Mode::kStreaming) {
    if (!deleted && staged_.size() < options_.most_objects) return Verdict::kStage;
    TooMany(now);
    return Verdict::kStop;
  }
  const auto known = known_.find(key);
  if (const auto number = Number(version); number != 0) {
    if (number <= latest_) {
      if (known != known_.end() && known->second == version && !deleted) return Verdict::kIgnore;
      // A watch tells of changes in their order. What comes out of it may hide what was lost, and
      // which of two states is the newer one cannot be known here: a list can tell.
      ++counters_.disorders;
      mode_ = Mode::kListNext;
      return Verdict::kStop;
    }
    latest_ = number;
  }
  resource_version_ = version;
  if (!deleted) return Verdict::kPut;
  if (known == known_.end()) return Verdict::kIgnore;
  known_.erase(known);
  ++counters_.events;
  return Verdict::kErase;
}

bool ReflectorMachine::Put(const ObjectKey& key, const std::string& version, bool of_interest) {
  const bool changed = of_interest || known_.contains(key);
  if (of_interest) {
    known_.insert_or_assign(key, version);
  } else {
    known_.erase(key);
  }
  if (changed) ++counters_.events;
  return changed;
}

ReflectorMachine::Update ReflectorMachine::Bookmark(const std::string& resource_version,
                                                    bool initial_events_end, SteadyTime now) {
  if (resource_version.empty()) return {};
  Progress(now);
  heard_ = true;
  if (mode_ == Mode::kStreaming) {
    if (!initial_events_end) return {};
    return ListComplete(resource_version, now);
  }
  const auto number = Number(resource_version);
  if (mode_ == Mode::kWatching && (number == 0 || number >= latest_)) {
    resource_version_ = resource_version;
    latest_ = number;
  }
  return {};
}

ReflectorMachine::Update ReflectorMachine::WatchDone(SteadyTime now) {
  if (mode_ == Mode::kListNext) return {.staged = Update::Staged::kDrop};  // Judge ended it
  // Ending what it has just begun is no way to serve a watch, however politely it is done.
  const bool at_once = !heard_ && now - watch_opened_.value_or(now) < std::chrono::seconds(1);
  if (mode_ == Mode::kStreaming || at_once) {
    return Failed({.message = "the server ended the watch as soon as it began"}, now);
  }
  mode_ = Mode::kWatchNext;
  return {};
}

ReflectorMachine::Update ReflectorMachine::Failed(const Trouble& trouble, SteadyTime now) {
  if (mode_ == Mode::kListNext) return {.staged = Update::Staged::kDrop};  // Judge ended it
  if (trouble.status == 404) return Missing(trouble, now);
  missing_since_.reset();
  // A version that the server has forgotten is nobody's fault; all caches may hear it at once.
  if (IsExpired(trouble.status)) {
    ++counters_.expired;
    not_before_ = now + UpTo(options_.shortest_pause);
    return ListAgain();
  }
  if (mode_ == Mode::kStreaming && IsRefusedRequest(trouble.status)) {
    streaming_ = false;
    paid_ = true;  // the same list, asked for in another way
    return ListAgain();
  }
  if (trouble.status == 403) {
    StateBecomes(ReflectorState::kForbidden, trouble.message);
    PauseSlowly(now);
  } else {
    // That a watch is cut is an everyday matter, unless the next one cannot begin.
    const bool lived = mode_ == Mode::kWatching && watch_opened_ && now - *watch_opened_ >= kLived;
    if (trouble.status == 0 && lived) {
      ++counters_.failures;
    } else {
      StateBecomes(ReflectorState::kFailing, trouble.message);
    }
    PauseAfterFailure(trouble, now);
  }
  return mode_ == Mode::kPaging ? FailedPage(trouble) : FailedWatch(trouble);
}

// The page is asked for again, with what came before it kept.
ReflectorMachine::Update ReflectorMachine::FailedPage(const Trouble& trouble) {
  if (trouble.too_long && page_size_ > 1) {
    page_size_ /= 2;
    not_before_ = {};
    return {};
  }
  return {};
}

ReflectorMachine::Update ReflectorMachine::FailedWatch(const Trouble& trouble) {
  if (mode_ == Mode::kStreaming) {
    ++streams_failed_;
    if (trouble.too_long) streams_failed_ = kMostStreams;
    return ListAgain();
  }
  // The watch would run into the same line again; a list has room for it.
  if (trouble.too_long) {
    streams_failed_ = kMostStreams;
    return ListAgain();
  }
  // A server that was set back to an older state never reaches the version that we have seen.
  if (trouble.status != 0 && ++watches_refused_ >= kMostRefusals) return ListAgain();
  mode_ = Mode::kWatchNext;
  return {};
}

ReflectorMachine::Update ReflectorMachine::ListAgain() {
  mode_ = Mode::kListNext;
  staged_.clear();
  return {.staged = Update::Staged::kDrop};
}

// A server that is just starting may not know its custom resources yet: what was seen is forgotten
// only if the answer stays the same.
ReflectorMachine::Update ReflectorMachine::Missing(const Trouble& trouble, SteadyTime now) {
  if (!missing_since_) missing_since_ = now;
  auto update = ListAgain();
  if (!known_.empty() && now - *missing_since_ < options_.slow_pause) {
    StateBecomes(ReflectorState::kFailing, trouble.message);
    PauseAfterFailure(trouble, now);
    return update;
  }
  StateBecomes(ReflectorState::kMissing, trouble.message);
  PauseSlowly(now);
  update.staged = Update::Staged::kEmpty;
  for (const auto& [key, version] : known_) update.changed.push_back(key);
  known_.clear();
  update.look_at_all = !std::exchange(synced_, true) || !update.changed.empty();
  return update;
}

void ReflectorMachine::StateBecomes(ReflectorState state, std::string trouble) {
  if (state == ReflectorState::kWatching) {
    missing_since_.reset();
  } else {
    ++counters_.failures;
  }
  state_ = state;
  trouble_ = std::move(trouble);
}

void ReflectorMachine::PauseAfterFailure(const Trouble& trouble, SteadyTime now) {
  auto pause = UpTo(pause_bound_);
  pause_bound_ = std::min(2 * pause_bound_, options_.longest_pause);
  // Never before what the server asks for, and not everybody at that very moment.
  if (trouble.retry_after) pause = std::max(pause, *trouble.retry_after + UpTo(pause));
  not_before_ = now + pause;
}

void ReflectorMachine::PauseSlowly(SteadyTime now) {
  not_before_ = now + options_.slow_pause / 2 + UpTo(options_.slow_pause);
}

void ReflectorMachine::Progress(SteadyTime now) {
  heard_at_ = now;
  pause_bound_ = options_.shortest_pause;
  watches_refused_ = 0;
}

bool ReflectorMachine::TakeResync(SteadyTime now) {
  if (!synced_ || now < resync_at_) return false;
  resync_at_ = now + options_.resync;
  return true;
}

}  // namespace prewarm::controller::kube
