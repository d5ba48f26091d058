// Leases where requests go unanswered, which a real server does not do on demand.
#include "controller/kube/lease.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "tests/rig/hand_clock.h"
#include "tests/rig/run_task.h"
#include "tests/unit/controller/kube/scripted_api.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

// One Lease with the server's rules: a version that grows, and conflicts.
class LeaseTest : public testing::Test {
 protected:
  LeaseTest() {
    api_.on_send = [this](const KubeRequest& request) { return Answer(request); };
  }
  Result<KubeAnswer> Answer(const KubeRequest& request) {
    if (lose_request_) {
      lose_request_ = false;
      return Fail(ErrorCode::kTimeout, "lost");
    }
    auto answer = Act(request);
    if (lose_answer_ && request.method != Method::kGet) {
      lose_answer_ = false;
      return Fail(ErrorCode::kTimeout, "lost");
    }
    return answer;
  }
  KubeAnswer Act(const KubeRequest& request) {
    if (request.method == Method::kGet) {
      return lease_ ? KubeAnswer{.status = 200, .body = *lease_} : KubeAnswer{.status = 404};
    }
    auto written = request.body->as_object();
    auto& metadata = written["metadata"].as_object();
    if (request.method == Method::kPost) {
      if (lease_) return {.status = 409};
    } else {
      if (!lease_) return {.status = 404};
      if (metadata["resourceVersion"] != lease_->at("metadata").at("resourceVersion")) {
        return {.status = 409};
      }
    }
    metadata["resourceVersion"] = std::to_string(++version_);
    lease_ = written;
    return {.status = 200, .body = written};
  }

  KubeLease::Options Options(const std::string& holder) {
    return {.key = {"ns", "leader"}, .holder = holder, .patience = seconds(15)};
  }
  template <class T>
  T Run(Task<T> task) {
    return rig::RunTask(loop_, std::move(task));
  }
  std::string Holder() { return std::string(lease_->at("spec").at("holderIdentity").as_string()); }

  boost::asio::io_context loop_;
  rig::HandClock clock_;
  ScriptedApi api_;
  std::optional<json::object> lease_;
  int version_ = 100;
  bool lose_request_ = false;
  bool lose_answer_ = false;
};

TEST_F(LeaseTest, WritesWhatTheApiWants) {
  KubeLease lease(api_, clock_, Options("one"));
  EXPECT_EQ(*Run(lease.TryAcquire(0)), 1U);
  const auto& spec = lease_->at("spec");
  EXPECT_EQ(spec.at("leaseDurationSeconds").as_int64(), 15);
  EXPECT_EQ(spec.at("renewTime").as_string(), "1970-01-01T01:00:00.000000Z");
  EXPECT_EQ(Holder(), "one");
}

TEST_F(LeaseTest, TakesOverOnlyAfterItsOwnPatience) {
  KubeLease one(api_, clock_, Options("one"));
  KubeLease two(api_, clock_, Options("two"));
  ASSERT_EQ(*Run(one.TryAcquire(0)), 1U);
  clock_.now += std::chrono::hours(5);  // what was written long ago does not count
  EXPECT_EQ(*Run(two.TryAcquire(0)), std::nullopt);
  clock_.now += seconds(14);
  EXPECT_EQ(*Run(two.TryAcquire(0)), std::nullopt);
  ASSERT_TRUE(Run(one.Renew()));
  clock_.now += seconds(14);
  EXPECT_EQ(*Run(two.TryAcquire(0)), std::nullopt) << "the renewal began the patience anew";
  clock_.now += seconds(15);
  EXPECT_EQ(*Run(two.TryAcquire(0)), 2U);
}

TEST_F(LeaseTest, KeepsALeaseWhoseRenewalWasMadeButNotAnswered) {
  KubeLease lease(api_, clock_, Options("one"));
  ASSERT_EQ(*Run(lease.TryAcquire(0)), 1U);
  lose_answer_ = true;
  const auto unanswered = Run(lease.Renew());
  ASSERT_FALSE(unanswered);
  EXPECT_EQ(unanswered.error().code, ErrorCode::kTimeout) << "not known is not lost";
  const auto before = version_;
  EXPECT_TRUE(Run(lease.Renew()));
  EXPECT_EQ(version_, before + 1) << "a renewal counts from when it is made";
}

TEST_F(LeaseTest, KeepsALeaseWhoseRenewalDidNotArrive) {
  KubeLease lease(api_, clock_, Options("one"));
  ASSERT_EQ(*Run(lease.TryAcquire(0)), 1U);
  lose_request_ = true;
  EXPECT_FALSE(Run(lease.Renew()));
  EXPECT_TRUE(Run(lease.Renew()));
}

TEST_F(LeaseTest, TakesItsOwnLeaseAtOnceWithANewEpochIfItDidNotHearThatItGotIt) {
  KubeLease lease(api_, clock_, Options("one"));
  lose_answer_ = true;
  EXPECT_FALSE(Run(lease.TryAcquire(0)));
  EXPECT_EQ(*Run(lease.TryAcquire(0)), 2U);
}

TEST_F(LeaseTest, KnowsThatItIsLostWhenItWasTakenOrDeleted) {
  KubeLease one(api_, clock_, Options("one"));
  KubeLease two(api_, clock_, Options("two"));
  ASSERT_EQ(*Run(one.TryAcquire(0)), 1U);
  EXPECT_EQ(*Run(two.TryAcquire(0)), std::nullopt);
  clock_.now += seconds(15);
  ASSERT_EQ(*Run(two.TryAcquire(0)), 2U);
  EXPECT_EQ(Run(one.Renew()).error().code, ErrorCode::kConflict);
  EXPECT_EQ(Run(one.Renew()).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(Run(one.Release())) << "and takes nothing away from the other one";
  EXPECT_EQ(Holder(), "two");
  lease_.reset();
  EXPECT_EQ(Run(two.Renew()).error().code, ErrorCode::kConflict);
}

TEST_F(LeaseTest, GoesOnCountingWhereTheLeaseWasDeleted) {
  KubeLease lease(api_, clock_, Options("one"));
  ASSERT_EQ(*Run(lease.TryAcquire(7)), 8U);
  ASSERT_TRUE(Run(lease.Release()));
  lease_.reset();
  EXPECT_EQ(*Run(lease.TryAcquire(8)), 9U);
}

TEST_F(LeaseTest, TakesALeaseThatSomebodyDamaged) {
  for (auto spec : {json::value(nullptr), json::value(7), json::value(json::object())}) {
    lease_ =
        json::object{{"metadata", {{"name", "leader"}, {"resourceVersion", "5"}}}, {"spec", spec}};
    KubeLease lease(api_, clock_, Options("one"));
    EXPECT_EQ(*Run(lease.TryAcquire(0)), 1U);
  }
}

}  // namespace
}  // namespace prewarm::controller::kube
