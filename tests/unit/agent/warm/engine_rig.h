// What tests of the fetch pool share: a real cache directory, and a store in memory whose faults
// are scripted. Real stores are tested in tests/integration/store and tests/e2e.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/warm/warm_run.h"
#include "common/async/deadline.h"
#include "common/async/guarded.h"
#include "common/juicefs/trailer.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::agent {

inline constexpr std::uint32_t kBlock = 64 * 1024;
inline constexpr auto kUuid = "12345678-9abc-4def-8012-3456789abcde";

inline juicefs::VolumeSettings PlainVolume() {
  juicefs::VolumeSettings settings;
  settings.name = "vol";
  settings.uuid = kUuid;
  settings.block_size = kBlock;
  return settings;
}

// Every byte of a block follows from its key, so that a reader can check what it finds.
inline std::string ContentOf(const std::string& block_key, std::size_t size) {
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

class EngineRig : public testing::Test {
 protected:
  EngineRig() {
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

  static MakeStore ScriptedStores(const std::shared_ptr<Script>& script) {
    return [script] {
      return Result<std::unique_ptr<ObjectStore>>(std::make_unique<ScriptedStore>(script));
    };
  }

  static juicefs::BlockPlan PlanOf(std::uint32_t blocks, std::uint64_t slice = 42,
                                   std::uint32_t block_size = kBlock) {
    const std::uint32_t bytes = blocks * block_size - 1000;  // the last block is short
    juicefs::FileSlices file{
        "f", juicefs::Inode{1}, bytes, {{0, juicefs::SliceId{slice}, bytes, 0, bytes}}};
    return juicefs::BlockPlan(std::vector{file}, block_size);
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
};

}  // namespace prewarm::agent
