// What a reflector asks next, and what follows from each answer: the protocol of list and watch
// without its input and output. Pure: time and randomness are handed in. Whatever the server does,
// the number of lists, watches and requests per minute is bounded here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "controller/kube/resource.h"

namespace prewarm::controller::kube {

struct ReflectorOptions {
  std::uint32_t page_size = 500;
  bool streaming =
      true;  // ask for lists as a stream first; pages where the server does not know it
  Duration shortest_pause = std::chrono::milliseconds(800);  // bound of the first pause; doubles
  Duration longest_pause = std::chrono::seconds(30);
  Duration slow_pause = std::chrono::seconds(30);      // where somebody has to act: 403, 404
  Duration between_lists = std::chrono::seconds(20);   // on average, beyond the first three
  Duration between_watches = std::chrono::seconds(1);  // likewise, beyond the first ten
  Duration resync = std::chrono::minutes(10);
  // A whole list even where nothing seems wrong: what was lost on the way is found by then.
  Duration relist = std::chrono::hours(1);
  std::chrono::seconds watch_time{300};  // to twice as long
  std::size_t most_objects = 500'000;
};

enum class ReflectorState : std::uint8_t {
  kStarting,   // no list yet
  kWatching,   // in step with the server
  kMissing,    // the server does not have this resource
  kForbidden,  // we may not see it; what was seen before is kept
  kFailing,    // tried again and again; what was seen before is kept
};
std::string_view StateName(ReflectorState state);

struct ReflectorCounters {
  std::uint64_t lists = 0;      // begun
  std::uint64_t pages = 0;      // asked for
  std::uint64_t watches = 0;    // begun, those with a list in them included
  std::uint64_t events = 0;     // that changed something
  std::uint64_t disorders = 0;  // events older than one before: each is followed by a list
  std::uint64_t failures = 0;
  std::uint64_t expired = 0;          // 410: the server had forgotten where we were
  std::uint64_t refused_objects = 0;  // without a name or a version
};

class ReflectorMachine {
 public:
  ReflectorMachine(ReflectorOptions options, SteadyTime now, std::uint64_t seed);

  struct Pause {
    Duration length{};
  };
  struct ListPage {
    std::uint32_t limit = 0;
    std::string continue_from;  // empty: the first page
  };
  struct WatchFrom {
    std::string resource_version;  // empty with initial_events
    bool initial_events = false;   // a list as a stream, followed by the watch
    std::chrono::seconds timeout{};
  };
  using Step = std::variant<Pause, ListPage, WatchFrom>;
  Step Next(SteadyTime now);

  // What the cache has to do after an answer.
  struct Update {
    enum class Staged : std::uint8_t {
      kKeep,
      kDrop,
      kTake,   // it becomes the cache
      kEmpty,  // dropped, and the cache becomes empty
    } staged = Staged::kKeep;
    std::vector<ObjectKey> changed{};  // after that: tell of these
    bool look_at_all = false;
  };

  // An object of a page was staged, or found to be of no interest.
  void TakeItem(const ObjectKey& key, const std::string& version, bool of_interest);
  Update PageDone(const std::string& resource_version, const std::string& continue_token,
                  SteadyTime now);

  // The server took the watch.
  void WatchOpened(SteadyTime now);
  enum class Verdict : std::uint8_t {
    kStage,   // part of a streamed list: TakeItem
    kPut,     // then Put
    kErase,   // already done here: tell of it
    kIgnore,  // known already
    kStop,    // end the watch: it cannot be trusted; then WatchDone or Failed as usual
  };
  Verdict Judge(bool deleted, const ObjectKey& key, const std::string& version, SteadyTime now);
  // Whether this changes what the cache shows.
  bool Put(const ObjectKey& key, const std::string& version, bool of_interest);
  Update Bookmark(const std::string& resource_version, bool initial_events_end, SteadyTime now);
  Update WatchDone(SteadyTime now);

  // Instead of PageDone and WatchDone.
  struct Trouble {
    unsigned status = 0;  // of HTTP, or in the stream; 0: no answer
    bool too_long = false;
    std::optional<Duration> retry_after{};
    std::string message{};
  };
  Update Failed(const Trouble& trouble, SteadyTime now);

  // True once after every ReflectorOptions::resync.
  bool TakeResync(SteadyTime now);
  void RefuseObject() { ++counters_.refused_objects; }

  [[nodiscard]] bool synced() const { return synced_; }
  [[nodiscard]] ReflectorState state() const { return state_; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] const ReflectorCounters& counters() const { return counters_; }
  // When the server last said anything of this resource; nothing: not yet. A server that watches
  // tells at least every minute or so that nothing has changed.
  [[nodiscard]] std::optional<SteadyTime> heard_at() const { return heard_at_; }
  [[nodiscard]] std::size_t objects() const { return known_.size(); }

 private:
  using Versions = std::map<ObjectKey, std::string>;
  enum class Mode : std::uint8_t { kListNext, kPaging, kWatchNext, kStreaming, kWatching };

  Step BeginList();
  Step BeginWatch();
  Update ListComplete(const std::string& resource_version, SteadyTime now);
  Update ListAgain();
  Update TooMany(SteadyTime now);
  Update FailedPage(const Trouble& trouble);
  Update FailedWatch(const Trouble& trouble);
  Update Missing(const Trouble& trouble, SteadyTime now);
  void StateBecomes(ReflectorState state, std::string trouble);
  void PauseAfterFailure(const Trouble& trouble, SteadyTime now);
  void PauseSlowly(SteadyTime now);
  void Progress(SteadyTime now);
  Duration UpTo(Duration bound);

  const ReflectorOptions options_;
  std::mt19937_64 random_;
  TokenBucket lists_;
  TokenBucket watches_;
  ReflectorCounters counters_;

  Mode mode_ = Mode::kListNext;
  ReflectorState state_ = ReflectorState::kStarting;
  std::string trouble_;
  bool synced_ = false;
  SteadyTime not_before_;
  Duration pause_bound_;
  bool paid_ = false;  // the list or watch to come has had its token

  Versions known_;
  Versions staged_;
  std::string resource_version_;  // where the next watch begins
  std::uint64_t latest_ = 0;      // the largest version heard of since the list, as a number
  std::string continue_from_;
  std::uint32_t page_size_;
  bool streaming_;                // the server knows streamed lists
  unsigned streams_failed_ = 0;   // streamed lists in a row that came to nothing
  unsigned watches_refused_ = 0;  // in a row, by an answer of the server
  bool heard_ = false;            // the watch under way said something
  std::optional<SteadyTime> heard_at_;
  std::optional<SteadyTime> watch_opened_;  // the server took the watch under way
  std::optional<SteadyTime> missing_since_;
  SteadyTime resync_at_;
  SteadyTime relist_at_;
};

}  // namespace prewarm::controller::kube
