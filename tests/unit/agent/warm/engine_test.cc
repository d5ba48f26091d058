// The engine over a real cache directory and a store in memory whose faults are scripted: what is
// published, what is counted, and that a run always ends. Real stores are tested in
// tests/integration/store and tests/e2e.
#include "agent/warm/warm_engine.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/warm/plan_scan.h"
#include "agent/warm/warm_run.h"
#include "common/async/deadline.h"
#include "common/async/guarded.h"
#include "common/async/task_group.h"
#include "common/juicefs/trailer.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::uint32_t kBlock = 64 * 1024;
constexpr auto kUuid = "12345678-9abc-4def-8012-3456789abcde";

juicefs::VolumeSettings PlainVolume() {
  juicefs::VolumeSettings settings;
  settings.name = "vol";
  settings.uuid = kUuid;
  settings.block_size = kBlock;
  return settings;
}

// Every byte of a block follows from its key, so that a reader can check what it finds.
std::string ContentOf(const std::string& block_key, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t state = std::hash<std::string>{}(block_key);
  for (auto& byte : bytes) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

// What the store answers for a key, decided for each request; shared by the stores of all threads.
struct Script {
  using Answer = std::function<Result<ObjectBytes>(std::string& object, int request)>;
  Answer answer = [](std::string&, int) { return ObjectBytes{}; };
  std::atomic<std::int64_t> delay_ms{0};
  Guarded<std::map<std::string, int>> requests;  // by key
};

class ScriptedStore final : public ObjectStore {
 public:
  explicit ScriptedStore(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  Task<Result<ObjectBytes>> Read(ReadRequest request, std::span<std::byte> into) override {
    const std::string key(request.key);
    const int number = script_->requests.With([&](auto& seen) { return ++seen[key]; });
    const auto delay = std::chrono::milliseconds(script_->delay_ms.load());
    if (delay > Duration::zero() && !co_await SleepFor(delay)) {
      co_return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    }
    const auto size = std::stoul(key.substr(key.rfind('_') + 1));
    std::string object = ContentOf(key.substr(key.find('/') + 1), size);
    auto answer = script_->answer(object, number);
    if (!answer) co_return answer;
    if (object.size() > into.size()) {
      co_return Fail(ErrorCode::kCorrupt, "too long", Reason::kWrongLength);
    }
    std::memcpy(into.data(), object.data(), object.size());
    answer->size = object.size();
    co_return answer;
  }
  [[nodiscard]] std::string Describe() const override { return "scripted store"; }

 private:
  std::shared_ptr<Script> script_;
};

class Engine : public testing::Test {
 protected:
  Engine() {
    CacheOptions options;
    options.directories = {folder_ / "cache"};
    options.uuid = kUuid;
    options.minimum_free_ratio = 0;
    options.free_space_ratio = 0;
    options.free_space_margin = 0;
    auto cache = BlockCache::Open(std::move(options));
    if (!cache) throw std::runtime_error(cache.error().message);
    cache_ = *std::move(cache);
    auto codec = juicefs::BlockCodec::Create(PlainVolume(), Secret());
    if (!codec) throw std::runtime_error(codec.error().message);
    codec_.emplace(*std::move(codec));
    parts_.emplace(WarmParts{clock_, *cache_, *codec_, pool_, "vol", false});
  }

  EngineOutcome Fetch(const juicefs::BlockPlan& plan, EngineOptions options = {},
                      Duration stop_after = Duration::zero()) {
    options.fetch_threads = 2;
    WarmEngine engine(clock_, options);
    boost::asio::io_context loop;
    TaskGroup group(loop.get_executor());
    EngineOutcome outcome;
    const auto run = [](Engine& self, WarmEngine& e, const juicefs::BlockPlan& p,
                        EngineOutcome& out) -> Task<void> {
      Presence presence(p.block_count());
      auto work = co_await ScanPlan(*self.parts_, p, presence);
      if (work) self.work_ = *work;
      WarmRun warm(e, {*self.parts_, p, presence, self.ScriptedStores(), e.options().fetch, {}});
      auto result = co_await warm.Fetch();
      EXPECT_TRUE(result) << result.error().message;
      if (result) out = *result;
    };
    const auto stop = [](WarmEngine& e, Duration after) -> Task<void> {
      co_await SleepFor(after);
      e.Stop();
    };
    group.Spawn("run", run(*this, engine, plan, outcome));
    if (stop_after > Duration::zero()) group.Spawn("stop", stop(engine, stop_after));
    loop.run();
    return outcome;
  }

  MakeStore ScriptedStores() {
    return [this] {
      return Result<std::unique_ptr<ObjectStore>>(std::make_unique<ScriptedStore>(script_));
    };
  }

  static juicefs::BlockPlan PlanOf(std::uint32_t blocks) {
    const std::uint32_t bytes = blocks * kBlock - 1000;  // the last block is short
    juicefs::FileSlices file{
        "f", juicefs::Inode{1}, bytes, {{0, juicefs::SliceId{42}, bytes, 0, bytes}}};
    return juicefs::BlockPlan(std::vector{file}, kBlock);
  }

  // Every file below the cache directory, checked byte for byte; the number of whole blocks.
  int WholeBlocksOnDisk() {
    int whole = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "cache")) {
      if (!entry.is_regular_file() || entry.path().filename() == ".lock") continue;
      const auto path = entry.path().string();
      const auto key = path.substr(path.find("/raw/") + 5);
      const auto size = std::stoul(key.substr(key.rfind('_') + 1));
      std::ifstream in(path, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(in), {}};
      EXPECT_EQ(bytes.size(), size + juicefs::TrailerBytes(size)) << path;
      EXPECT_EQ(bytes.substr(0, size), ContentOf(key, size)) << path;
      ++whole;
    }
    return whole;
  }

  rig::TempDir folder_;
  SystemClock clock_;
  boost::asio::thread_pool pool_{4};
  std::unique_ptr<BlockCache> cache_;
  std::optional<juicefs::BlockCodec> codec_;
  std::optional<WarmParts> parts_;
  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  PlannedWork work_;
};

std::uint64_t Count(const std::array<std::uint64_t, Tally::kReasons>& counts, Reason reason) {
  return counts[static_cast<std::size_t>(reason)];
}

TEST_F(Engine, FetchesEveryBlockOnceAndOnlyWhatIsMissing) {
  const auto plan = PlanOf(100);
  auto outcome = Fetch(plan);
  EXPECT_EQ(outcome.counts.fetched_blocks, 100U);
  EXPECT_EQ(outcome.counts.fetched_bytes, plan.bytes());
  EXPECT_EQ(outcome.counts.requests, 100U);
  EXPECT_EQ(outcome.counts.unverified_blocks, 100U);
  EXPECT_EQ(WholeBlocksOnDisk(), 100);

  outcome = Fetch(plan);
  EXPECT_EQ(work_.present_blocks, 100U);
  EXPECT_EQ(outcome.counts.requests, 0U);
}

TEST_F(Engine, MakesTransientErrorsGoodWithinItsRetryBudget) {
  script_->answer = [](std::string&, int request) -> Result<ObjectBytes> {
    if (request == 1) return Fail(ErrorCode::kUnavailable, "503", Reason::kServerError);
    return ObjectBytes{};
  };
  const auto outcome = Fetch(PlanOf(12));
  EXPECT_EQ(outcome.counts.fetched_blocks, 12U);
  EXPECT_EQ(outcome.counts.retries, 12U);
  EXPECT_EQ(Count(outcome.counts.errors_by_reason, Reason::kServerError), 12U);
}

TEST_F(Engine, NeverPublishesDamagedBytes) {
  script_->answer = [](std::string& object, int) -> Result<ObjectBytes> {
    const auto right =
        juicefs::Crc32c({reinterpret_cast<const std::byte*>(object.data()), object.size()});
    object[object.size() / 2] ^= 0x10;
    ObjectBytes answer;
    answer.crc32c = right;
    return answer;
  };
  const auto outcome = Fetch(PlanOf(10));
  EXPECT_EQ(outcome.counts.failed_blocks, 10U);
  EXPECT_EQ(Count(outcome.counts.failed_by_reason, Reason::kChecksumMismatch), 10U);
  EXPECT_EQ(outcome.counts.requests, 20U);  // each once more on a fresh connection
  EXPECT_EQ(WholeBlocksOnDisk(), 0);
}

TEST_F(Engine, RefusesObjectsOfAnotherLength) {
  script_->answer = [](std::string& object, int) -> Result<ObjectBytes> {
    object.pop_back();
    return ObjectBytes{};
  };
  const auto outcome = Fetch(PlanOf(3));
  EXPECT_EQ(Count(outcome.counts.failed_by_reason, Reason::kWrongLength), 3U);
  EXPECT_EQ(WholeBlocksOnDisk(), 0);
}

TEST_F(Engine, RequireChecksumRefusesWhatCannotBeChecked) {
  EngineOptions options;
  options.fetch.require_checksum = true;
  const auto outcome = Fetch(PlanOf(3), options);
  EXPECT_EQ(Count(outcome.counts.failed_by_reason, Reason::kNoChecksum), 3U);
  EXPECT_EQ(WholeBlocksOnDisk(), 0);
}

TEST_F(Engine, HandsMissingObjectsBackAsStale) {
  script_->answer = [](std::string& object, int) -> Result<ObjectBytes> {
    if (object.size() < kBlock) return Fail(ErrorCode::kNotFound, "404", Reason::kNotFound);
    return ObjectBytes{};
  };
  const auto outcome = Fetch(PlanOf(5));
  EXPECT_EQ(outcome.counts.fetched_blocks, 4U);
  EXPECT_EQ(outcome.stale, std::vector<std::uint64_t>{4});
  EXPECT_EQ(outcome.counts.failed_blocks, 0U);
}

TEST_F(Engine, GivesUpSoonWhenTheBucketIsMissingOrRefuses) {
  script_->answer = [](std::string&, int) -> Result<ObjectBytes> {
    return Fail(ErrorCode::kNotFound, "no such bucket");
  };
  auto outcome = Fetch(PlanOf(200));
  ASSERT_TRUE(outcome.aborted);
  EXPECT_LT(outcome.counts.requests, 100U);

  script_->answer = [](std::string&, int) -> Result<ObjectBytes> {
    return Fail(ErrorCode::kPermission, "403", Reason::kAccessDenied);
  };
  outcome = Fetch(PlanOf(200));
  ASSERT_TRUE(outcome.aborted);
  EXPECT_LT(outcome.counts.requests, 100U);
}

TEST_F(Engine, HoldsTheBandwidthLimit) {
  EngineOptions options;
  options.fetch.bytes_per_second = 40 * kBlock;
  const auto begin = clock_.Now();
  const auto outcome = Fetch(PlanOf(50), options);
  const double seconds = std::chrono::duration<double>(clock_.Now() - begin).count();
  EXPECT_EQ(outcome.counts.fetched_blocks, 50U);
  EXPECT_GE(seconds, 0.9);  // a quarter of a second's worth may come at once
}

TEST_F(Engine, StopsWithinASecondWhileRequestsHangAndLeavesNoOddFile) {
  script_->delay_ms = 20;
  script_->answer = [this](std::string&, int) -> Result<ObjectBytes> {
    script_->delay_ms = 3'600'000;
    return ObjectBytes{};
  };
  const auto begin = clock_.Now();
  const auto outcome = Fetch(PlanOf(300), {}, 200ms);
  EXPECT_TRUE(outcome.stopped);
  EXPECT_LT(clock_.Now() - begin, 1200ms);
  EXPECT_LT(outcome.counts.fetched_blocks, 300U);
  EXPECT_EQ(WholeBlocksOnDisk(), static_cast<int>(outcome.counts.fetched_blocks));
}

TEST_F(Engine, SaysWhenTheMemoryBudgetIsTooSmall) {
  EngineOptions options;
  options.memory_bytes = kBlock;
  const WarmEngine engine(clock_, options);
  const auto fits = engine.CheckFits(*codec_, kBlock);
  ASSERT_FALSE(fits);
  EXPECT_THAT(fits.error().message, testing::HasSubstr("--buffer-size"));
}

}  // namespace
}  // namespace prewarm::agent
