// What tests of the agent's daemon share: a volume in a fake S3 server, plans of it, and a node's
// tasks on a thread of their own, as the daemon would own them.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/tasks/node_tasks.h"
#include "common/async/guarded.h"
#include "common/async/io_thread.h"
#include "common/async/task_group.h"
#include "tests/fakes/fake_s3.h"
#include "tests/rig/block_oracle.h"
#include "tests/rig/child_process.h"
#include "tests/rig/environment.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::rig {

inline constexpr std::uint32_t kAgentBlock = 64 * 1024;
inline constexpr auto kAgentUuid = "12345678-9abc-4def-8012-3456789abcde";

// Volume "vol" in bucket "b".
class VolumeInS3 {
 public:
  FakeS3 s3;

  [[nodiscard]] agent::VolumeDescriptor Descriptor() const {
    agent::VolumeDescriptor descriptor;
    descriptor.name = "models";
    descriptor.setting = std::string(R"({"Name":"vol","UUID":")") + kAgentUuid +
                         R"(","Storage":"s3","Bucket":")" + s3.BucketUrl("b") +
                         R"(","AccessKey":"anonymous","BlockSize":64,"Compression":"none",)" +
                         R"("TrashDays":0,"MetaVersion":1})";
    return descriptor;
  }
  // Slices of so many whole blocks each.
  void PutSlices(const std::vector<std::uint64_t>& slices, std::uint32_t blocks) {
    for (const auto slice : slices) {
      for (std::uint32_t i = 0; i < blocks; ++i) {
        const auto bytes = OracleBytes({slice, i, kAgentBlock});
        s3.Put(KeyOf(slice, i), {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      }
    }
  }
  static std::string KeyOf(std::uint64_t slice, std::uint32_t index) {
    return "b/vol/" + juicefs::BlockKey({juicefs::SliceId(slice), index, kAgentBlock}, false);
  }
  // GETs of blocks, by key.
  [[nodiscard]] std::map<std::string, int> BlockRequests() const {
    std::map<std::string, int> counts;
    for (const auto& request : s3.Requests()) {
      if (request.key.find("/chunks/") != std::string::npos) ++counts[request.key];
    }
    return counts;
  }
};

inline std::vector<juicefs::BlockRun> RunsOf(const std::vector<std::uint64_t>& slices,
                                             std::uint32_t blocks) {
  std::vector<juicefs::BlockRun> runs;
  for (const auto slice : slices) {
    runs.push_back({juicefs::SliceId(slice), blocks * kAgentBlock, 0, blocks});
  }
  return runs;
}

inline agent::SharedPlan PlanOf(const std::vector<std::uint64_t>& slices, std::uint32_t blocks) {
  return std::make_shared<const juicefs::BlockPlan>(
      *juicefs::BlockPlan::FromRuns(RunsOf(slices, blocks), kAgentBlock));
}

class AgentNode {
 public:
  template <class Function>
  auto On(Function function) {
    std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
    auto answer = task.get_future();
    boost::asio::post(control_.executor(), std::move(task));
    return answer.get();
  }
  explicit AgentNode(std::string cache) {
    agent::CacheConfig config;
    config.dirs = {std::move(cache)};
    config.free_space_ratio = 0;
    config.min_free_ratio = 0;
    Start(std::move(config));
  }
  explicit AgentNode(agent::CacheConfig config) { Start(std::move(config)); }
  AgentNode(const AgentNode&) = delete;
  AgentNode& operator=(const AgentNode&) = delete;
  ~AgentNode() {
    Await([this] { return tasks_->Drain(); });
    On([this] { tasks_.reset(); });
    engine_.reset();
  }

  // Runs the task that `make` makes there, to its end.
  template <class Make>
  void Await(Make make) {
    std::promise<void> done;
    TaskGroup* group = On([this] { return new TaskGroup(control_.executor()); });
    On([&] { group->Spawn("test", Finish(make(), done)); });
    done.get_future().wait();
    WaitFor([&] { return On([&] { return group->running() == 0; }); });
    On([&] { delete group; });
  }

  agent::NodeTasks& tasks() { return *tasks_; }
  boost::asio::any_io_executor executor() { return control_.executor(); }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  void SetMounts(agent::MountSurvey survey) {
    survey_.With([&](agent::MountSurvey& known) { known = std::move(survey); });
  }
  boost::asio::thread_pool& pool() { return pool_; }
  // What clients answer from now on. Called on threads of the pool.
  void SetCheck(agent::MountWatch::Check check) {
    check_.With([&](agent::MountWatch::Check& known) { known = std::move(check); });
  }

  // Without paths it is the order of a controller that does not know of them.
  void Order(const std::string& prewarm, std::uint64_t generation, agent::SharedPlan plan,
             int priority = 0, std::vector<std::string> paths = {}) {
    On([&] {
      tasks_->Order({{prewarm, generation}, "models", {priority, {}, {}}, std::move(paths)},
                    std::move(plan));
    });
  }
  std::optional<agent::TaskReport> Report(const std::string& prewarm) {
    return On([&]() -> std::optional<agent::TaskReport> {
      for (auto& report : tasks_->Reports()) {
        if (report.id.prewarm == prewarm) return report;
      }
      return std::nullopt;
    });
  }
  bool WaitForState(const std::string& prewarm, agent::TaskState state,
                    std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    return WaitFor(
        [&] {
          const auto report = Report(prewarm);
          return report && report->state == state;
        },
        limit);
  }

 private:
  static Task<void> Finish(Task<void> task, std::promise<void>& done) {
    co_await std::move(task);
    done.set_value();
  }

  static agent::EngineOptions Options() {
    agent::EngineOptions options;
    options.fetch_threads = 2;
    options.max_requests = 8;
    return options;
  }

  void Start(agent::CacheConfig config) {
    engine_.emplace(clock_, Options());
    On([&] {
      tasks_.emplace(agent::NodeTasks::Context{control_.executor(), clock_, pool_, *engine_,
                                               mounts_, Logger(LogLevel::kError), std::move(config),
                                               agent::FetchLimits(), true, With({})});
    });
  }

  SystemClock clock_;
  Guarded<agent::MountSurvey> survey_;
  Guarded<agent::MountWatch::Check> check_;
  boost::asio::thread_pool pool_{4};
  IoThread control_;
  std::optional<agent::WarmEngine> engine_;
  agent::MountWatch mounts_{
      control_.executor(), clock_, pool_,
      [this] { return survey_.With([](const auto& known) { return known; }); },
      [this](const agent::MountSettings& mount, const std::vector<std::string>& paths,
             const std::stop_token& stop) {
        return check_.With([](const auto& known) { return known; })(mount, paths, stop);
      }};
  std::optional<agent::NodeTasks> tasks_;
};

}  // namespace prewarm::rig
