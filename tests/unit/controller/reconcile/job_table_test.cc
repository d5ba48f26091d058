#include "controller/reconcile/job_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/task_group.h"

namespace prewarm::controller {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

// Refuses whole batches that hold a prewarm of that id, as a cluster does that cannot hold it.
class PickyStore final : public JobStore {
 public:
  explicit PickyStore(std::string refused) : refused_(std::move(refused)) {}

  Result<std::optional<Lease>> TryAcquire(const std::string&) override { return Lease{1}; }
  [[nodiscard]] std::string SeenHolder() const override { return ""; }
  Status Renew() override { return {}; }
  Status Release() override { return {}; }
  Result<std::vector<Prewarm>> Load(std::size_t) override { return std::vector<Prewarm>(); }
  Result<std::vector<Prewarm>> Save(std::vector<Prewarm> prewarms) override {
    if (std::ranges::find(prewarms, refused_, &Prewarm::id) != prewarms.end()) {
      return Fail(ErrorCode::kInvalidArgument, "cannot hold " + refused_);
    }
    for (auto& prewarm : prewarms) {
      prewarm.age = ++last_age_;
      written.push_back(prewarm.id);
    }
    return prewarms;
  }
  Result<std::optional<Prewarm>> FindByKey(const std::string&, const std::string&,
                                           WallTime) override {
    return std::optional<Prewarm>();
  }
  Result<std::optional<Prewarm>> Find(const std::string& id) override {
    asked.push_back(id);
    Prewarm prewarm;
    prewarm.id = id;
    return std::optional(std::move(prewarm));
  }
  Result<std::size_t> Prune(std::size_t, WallTime) override { return 0; }
  [[nodiscard]] std::string IdOf(const std::string&, const std::string& name) const override {
    return name;
  }

  std::vector<std::string> written;
  std::vector<std::string> asked;

 private:
  const std::string refused_;
  std::uint64_t last_age_ = 0;
};

class Table : public testing::Test {
 protected:
  Task<void> Commit(std::string id, PrewarmState state = PrewarmState::kPending) {
    Prewarm prewarm;
    prewarm.id = id;
    prewarm.state = state;
    const auto saved = co_await table_.Commit({std::move(prewarm)});
    (saved ? accepted_ : refused_).push_back(id);
    if (accepted_.size() + refused_.size() == 3) writer_.Stop();
  }

  Task<void> FindForgotten(std::string id) {
    const auto found = co_await table_.FindForgotten(std::move(id));
    found_.push_back(found && *found ? std::optional((*found)->id) : std::nullopt);
  }

  boost::asio::io_context loop_;
  boost::asio::thread_pool pool_{1};
  PickyStore store_{"bad"};
  JobTable table_{loop_.get_executor(), pool_, store_, [](const Error&) { FAIL(); }};
  TaskGroup writer_{loop_.get_executor()};
  TaskGroup callers_{loop_.get_executor()};
  std::vector<std::string> accepted_;
  std::vector<std::string> refused_;
  std::vector<std::optional<std::string>> found_;
};

TEST_F(Table, WritesTheOthersOfABatchInWhichTheStoreRefusesOne) {
  for (const auto* id : {"one", "bad", "two"}) callers_.Spawn("commit", Commit(id));
  writer_.Spawn("write", table_.WriteLoop());
  loop_.run();
  EXPECT_THAT(store_.written, UnorderedElementsAre("one", "two"));
  EXPECT_THAT(accepted_, UnorderedElementsAre("one", "two"));
  EXPECT_THAT(refused_, ElementsAre("bad"));
  EXPECT_NE(table_.Find("one"), nullptr);
  EXPECT_EQ(table_.Find("bad"), nullptr);
}

TEST_F(Table, LetsNobodyWaitForAWriterThatHasStopped) {
  writer_.Spawn("write", table_.WriteLoop());
  loop_.poll();
  callers_.Spawn("commit", Commit("one"));
  writer_.Stop();
  loop_.restart();
  loop_.run_for(std::chrono::seconds(10));
  EXPECT_THAT(refused_, ElementsAre("one"));
  callers_.Spawn("commit", Commit("late"));
  loop_.restart();
  loop_.run_for(std::chrono::seconds(10));
  EXPECT_THAT(refused_, ElementsAre("one", "late"));
  EXPECT_THAT(store_.written, testing::IsEmpty());
}

TEST_F(Table, KnowsWhatIsBeingMadeUntilItIsThere) {
  for (const auto* id : {"one", "bad", "two"}) callers_.Spawn("commit", Commit(id));
  EXPECT_FALSE(table_.IsBeingMade("one")) << "nothing has run yet";
  loop_.poll();
  EXPECT_TRUE(table_.IsBeingMade("one"));
  writer_.Spawn("write", table_.WriteLoop());
  loop_.restart();
  loop_.run();
  EXPECT_FALSE(table_.IsBeingMade("one"));
  EXPECT_FALSE(table_.IsBeingMade("bad"));
}

TEST_F(Table, AsksTheStoreOnlyOnceItHasForgotten) {
  callers_.Spawn("find", FindForgotten("one"));
  loop_.run();
  EXPECT_EQ(found_, (std::vector<std::optional<std::string>>{std::nullopt}));
  EXPECT_THAT(store_.asked, testing::IsEmpty());

  writer_.Spawn("write", table_.WriteLoop());
  for (const auto* id : {"one", "two", "three"}) {
    callers_.Spawn("commit", Commit(id, PrewarmState::kSucceeded));
  }
  loop_.restart();
  loop_.run();
  table_.ForgetEnded(1);
  EXPECT_EQ(table_.Find("one"), nullptr);
  EXPECT_NE(table_.Find("three"), nullptr);
  for (const auto* id : {"one", "two"}) callers_.Spawn("find", FindForgotten(id));
  loop_.restart();
  loop_.run();
  EXPECT_THAT(store_.asked, UnorderedElementsAre("one", "two"));
  EXPECT_THAT(found_, UnorderedElementsAre(std::nullopt, "one", "two"));
}

}  // namespace
}  // namespace prewarm::controller
