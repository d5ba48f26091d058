// How long answers count, how many are kept, and how many questions are open at once.
#include "controller/access/reviews.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "controller/access/token_reviews.h"
#include "tests/unit/controller/access/reviewing_server.h"

namespace prewarm::controller {
namespace {

using std::chrono::seconds;

TEST(KeptAnswers, AreForgottenInTimeAndTheOldestMakeRoom) {
  KeptAnswers<int> kept(3, seconds(10));
  SteadyTime now{std::chrono::hours(1)};
  for (int i = 1; i <= 4; ++i) kept.Keep(DigestOf(std::to_string(i)), i, now);
  EXPECT_EQ(kept.Find(DigestOf("1"), now), nullptr);
  ASSERT_NE(kept.Find(DigestOf("2"), now), nullptr);
  EXPECT_EQ(*kept.Find(DigestOf("4"), now), 4);
  EXPECT_NE(kept.Find(DigestOf("4"), now + seconds(10) - Duration(1)), nullptr);
  EXPECT_EQ(kept.Find(DigestOf("4"), now + seconds(10)), nullptr);
  kept.Keep(DigestOf("5"), 5, now + seconds(10));
  EXPECT_EQ(kept.size(), 1U) << "what counts no more takes no room";
}

TEST(KeptAnswers, CountFromTheirLastRenewal) {
  KeptAnswers<int> kept(2, seconds(10));
  SteadyTime now{std::chrono::hours(1)};
  kept.Keep(DigestOf("a"), 1, now);
  kept.Keep(DigestOf("a"), 2, now + seconds(6));
  kept.Keep(DigestOf("b"), 3, now + seconds(11));
  ASSERT_NE(kept.Find(DigestOf("a"), now + seconds(11)), nullptr);
  EXPECT_EQ(*kept.Find(DigestOf("a"), now + seconds(11)), 2);
}

class ReviewsTest : public testing::Test {
 protected:
  using Bools = Reviews<bool>;

  Task<Result<bool>> WhenToldTo(std::string name) {
    ++questions_;
    boost::asio::steady_timer never(loop_.get_executor(), std::chrono::hours(1));
    while (held_) {
      if (co_await Stopping()) co_return Fail(ErrorCode::kCancelled, "stopped");
      never.expires_after(std::chrono::milliseconds(1));
      co_await never.async_wait(kAsTuple);
    }
    if (failing_) co_return Fail(ErrorCode::kUnavailable, "away");
    co_return name.starts_with("yes");
  }
  Task<void> Ask(std::string name) {
    answers_.push_back(
        co_await reviews_->Answer(DigestOf(name), [this, name] { return WhenToldTo(name); }));
  }
  void AskAll(const std::vector<std::string>& names) {
    TaskGroup group(loop_.get_executor());
    for (const auto& name : names) group.Spawn("ask", Ask(name));
    loop_.restart();
    loop_.run();
  }
  void Limit(const ReviewLimits& limits) {
    reviews_ = std::make_unique<Bools>(loop_.get_executor(), clock_, limits);
  }

  boost::asio::io_context loop_;
  rig::HandClock clock_;
  std::unique_ptr<Bools> reviews_ =
      std::make_unique<Bools>(loop_.get_executor(), clock_, ReviewLimits());
  std::vector<Result<bool>> answers_;
  int questions_ = 0;
  bool held_ = false;
  bool failing_ = false;
};

TEST_F(ReviewsTest, AsksOnceForAllThatWaitForTheSame) {
  AskAll(std::vector<std::string>(50, "yes"));
  EXPECT_EQ(questions_, 1);
  ASSERT_EQ(answers_.size(), 50U);
  for (const auto& answer : answers_) EXPECT_TRUE(answer && *answer);
}

TEST_F(ReviewsTest, KeepsAGrantForHalfAMinuteAndARefusalForSeconds) {
  AskAll({"yes", "no"});
  AskAll({"yes", "no"});
  EXPECT_EQ(questions_, 2);
  clock_.now += seconds(5);
  AskAll({"yes", "no"});
  EXPECT_EQ(questions_, 3) << "the refusal alone is asked about again";
  clock_.now += seconds(25);
  AskAll({"yes"});
  EXPECT_EQ(questions_, 4);
}

TEST_F(ReviewsTest, KeepsNoErrorAndCallsItNoAnswer) {
  failing_ = true;
  AskAll({"yes"});
  ASSERT_FALSE(answers_.back());
  failing_ = false;
  AskAll({"yes"});
  EXPECT_TRUE(answers_.back() && *answers_.back());
  EXPECT_EQ(reviews_->counts().failed, 1U);
  EXPECT_EQ(reviews_->counts().granted, 1U);
}

TEST_F(ReviewsTest, AGrantOutlivesAnyNumberOfRefusals) {
  Limit({.grants = 10, .refusals = 10});
  AskAll({"yes"});
  for (int i = 0; i < 1000; ++i) AskAll({"no" + std::to_string(i)});
  EXPECT_EQ(questions_, 1001);
  AskAll({"yes"});
  EXPECT_EQ(questions_, 1001);
  EXPECT_LE(reviews_->kept(), 11U);
}

TEST_F(ReviewsTest, TurnsAwayWhatIsBeyondTheQuestionsThatMayBeOpen) {
  Limit({.in_flight = 3});
  held_ = true;
  TaskGroup group(loop_.get_executor());
  for (int i = 0; i < 10; ++i) group.Spawn("ask", Ask("yes" + std::to_string(i)));
  loop_.run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(questions_, 3);
  ASSERT_EQ(answers_.size(), 7U);
  for (const auto& answer : answers_) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  }
  held_ = false;
  loop_.restart();
  loop_.run();
  EXPECT_EQ(answers_.size(), 10U);
}

TEST_F(ReviewsTest, GoesOnWhereWhoAskedFirstLeaves) {
  held_ = true;
  TaskGroup first(loop_.get_executor());
  TaskGroup second(loop_.get_executor());
  first.Spawn("ask", Ask("yes"));
  second.Spawn("ask", Ask("yes"));
  loop_.run_for(std::chrono::milliseconds(20));
  first.Stop();
  loop_.run_for(std::chrono::milliseconds(20));
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].error().code, ErrorCode::kCancelled);
  held_ = false;
  loop_.restart();
  loop_.run();
  ASSERT_EQ(answers_.size(), 2U);
  EXPECT_TRUE(answers_[1] && *answers_[1]);
  EXPECT_EQ(questions_, 1);
}

}  // namespace
}  // namespace prewarm::controller
