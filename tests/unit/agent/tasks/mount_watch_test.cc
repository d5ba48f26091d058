#include "agent/tasks/mount_watch.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "tests/rig/hand_clock.h"
#include "tests/rig/run_task.h"

namespace prewarm::agent {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class MountWatchTest : public testing::Test {
 protected:
  ~MountWatchTest() override { pool_.join(); }

  // How often the mounts were looked at while somebody wanted to know them each second.
  int LooksWithin(Duration time) {
    const int before = looks_;
    for (const auto end = clock_.now + time; clock_.now < end; clock_.now += seconds(1)) {
      rig::RunTask(loop_, watch_.LookLately(Duration()));
    }
    return looks_ - before;
  }

  bool hangs_ = false;

 private:
  MountSurvey Survey() {
    ++looks_;
    MountSurvey survey;
    if (hangs_) {
      survey.unreadable.emplace_back(MountEntry{"/mnt/jfs", "vol", "0:39", "/"},
                                     Fail(ErrorCode::kTimeout, "hangs"));
    }
    return survey;
  }

  int looks_ = 0;
  boost::asio::io_context loop_;
  boost::asio::thread_pool pool_{1};
  rig::HandClock clock_;
  MountWatch watch_{loop_.get_executor(), clock_, pool_, [this] { return Survey(); }};
};

TEST_F(MountWatchTest, LooksRarelyWhileOneHangsAndOftenAgainOnceItAnswers) {
  EXPECT_EQ(LooksWithin(seconds(10)), 10);
  hangs_ = true;
  EXPECT_EQ(LooksWithin(seconds(32)), 4) << "at once, and when more than 4, 8 and 16 s have passed";
  LooksWithin(minutes(30));
  EXPECT_LE(LooksWithin(minutes(60)), 6);
  hangs_ = false;
  LooksWithin(minutes(10));
  EXPECT_EQ(LooksWithin(seconds(10)), 10);
}

TEST_F(MountWatchTest, BeginsAnewWithTheNextThatHangs) {
  hangs_ = true;
  LooksWithin(minutes(60));
  hangs_ = false;
  LooksWithin(minutes(11));
  hangs_ = true;
  EXPECT_EQ(LooksWithin(seconds(32)), 4);
}

}  // namespace
}  // namespace prewarm::agent
