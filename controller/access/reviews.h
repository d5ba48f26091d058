// Answers of the API server that may be used again for a while, so that a busy caller costs one
// question in half a minute, and strangers cost a bounded number. Lives on one executor.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/async/signal.h"
#include "common/async/task.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace prewarm::controller {

// SHA-256 of what was asked about: a token is never kept itself.
using ReviewKey = std::array<unsigned char, 32>;

struct ReviewLimits {
  Duration keep_grant = std::chrono::seconds(30);  // what is taken back is refused after this
  Duration keep_refusal = std::chrono::seconds(5);
  std::size_t grants = 4096;  // kept; the oldest make room
  std::size_t refusals = 4096;
  std::size_t in_flight = 64;  // further questions are turned away
};

// At most `most` answers, each for the same time, so that the oldest is the next to go. Pure.
template <class Value>
class KeptAnswers {
 public:
  KeptAnswers(std::size_t most, Duration keep) : most_(most), keep_(keep) {}

  [[nodiscard]] const Value* Find(const ReviewKey& key, SteadyTime now) const {
    const auto at = answers_.find(key);
    return at == answers_.end() || at->second.until <= now ? nullptr : &at->second.value;
  }
  void Keep(const ReviewKey& key, Value value, SteadyTime now) {
    while (!order_.empty() && (order_.size() >= most_ || order_.front().until <= now)) {
      const auto& [oldest, until] = order_.front();
      if (const auto at = answers_.find(oldest);
          at != answers_.end() && at->second.until == until) {
        answers_.erase(at);
      }
      order_.pop_front();
    }
    answers_.insert_or_assign(key, Answer{std::move(value), now + keep_});
    order_.push_back({key, now + keep_});
  }
  void Drop(const ReviewKey& key) { answers_.erase(key); }
  [[nodiscard]] std::size_t size() const { return answers_.size(); }

 private:
  struct Answer {
    Value value;
    SteadyTime until;
  };
  struct Place {
    ReviewKey key;
    SteadyTime until;
  };
  const std::size_t most_;
  const Duration keep_;
  std::map<ReviewKey, Answer> answers_;
  std::deque<Place> order_;
};

// `Value` is true in a condition where something was granted. Refusals are kept apart, so that no
// number of them drives out what was granted.
template <class Value>
class Reviews {
 public:
  using Question = std::function<Task<Result<Value>>()>;
  struct Counts {
    std::uint64_t granted = 0;
    std::uint64_t refused = 0;
    std::uint64_t failed = 0;  // turned away, or the API server could not be asked
  };

  Reviews(boost::asio::any_io_executor executor, const Clock& clock, const ReviewLimits& limits)
      : executor_(std::move(executor)),
        clock_(clock),
        limits_(limits),
        grants_(limits.grants, limits.keep_grant),
        refusals_(limits.refusals, limits.keep_refusal),
        asking_(executor_) {}

  // What is kept, or what `ask` answers: once for all that wait for the same, whether or not they
  // stay. An error is kept for nobody. kUnavailable: too many questions are open.
  Task<Result<Value>> Answer(ReviewKey key, Question ask) {
    if (const Value* kept = Kept(key)) co_return *kept;
    auto open = open_.contains(key) ? open_[key] : nullptr;
    if (open == nullptr) {
      if (open_.size() >= limits_.in_flight) {
        ++counts_.failed;
        co_return Fail(ErrorCode::kUnavailable, "too many questions to the API server are open",
                       Reason::kThrottled);
      }
      open = open_[key] = std::make_shared<Open>(executor_);
      if (!asking_.Spawn("review", Run(key, std::move(ask), open))) {
        open_.erase(key);
        co_return Fail(ErrorCode::kUnavailable, "the controller stops");
      }
    }
    while (!open->answer) {
      if (!co_await open->done.Wait()) {
        co_return Fail(ErrorCode::kCancelled, "nobody waits for the review", Reason::kCancelled);
      }
    }
    co_return *open->answer;
  }

  void Stop() { asking_.Stop(); }
  Task<void> Join() { return asking_.Join(); }
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::size_t kept() const { return grants_.size() + refusals_.size(); }

 private:
  struct Open {
    explicit Open(const boost::asio::any_io_executor& executor) : done(executor) {}
    Signal done;
    std::optional<Result<Value>> answer;
  };

  [[nodiscard]] const Value* Kept(const ReviewKey& key) const {
    const auto now = clock_.Now();
    if (const Value* grant = grants_.Find(key, now)) return grant;
    return refusals_.Find(key, now);
  }

  Task<void> Run(ReviewKey key, Question ask, std::shared_ptr<Open> open) {
    // Kept from when it was asked: the answer may be as old as that.
    const auto asked = clock_.Now();
    auto answer = co_await ask();
    if (!answer) {
      ++counts_.failed;
    } else if (*answer) {
      ++counts_.granted;
      refusals_.Drop(key);
      grants_.Keep(key, *answer, asked);
    } else {
      ++counts_.refused;
      grants_.Drop(key);
      refusals_.Keep(key, *answer, asked);
    }
    open->answer = std::move(answer);
    open_.erase(key);
    open->done.Notify();
  }

  boost::asio::any_io_executor executor_;
  const Clock& clock_;
  const ReviewLimits limits_;
  KeptAnswers<Value> grants_;
  KeptAnswers<Value> refusals_;
  std::map<ReviewKey, std::shared_ptr<Open>> open_;
  Counts counts_;
  TaskGroup asking_;
};

}  // namespace prewarm::controller
