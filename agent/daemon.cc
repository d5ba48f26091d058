#include "agent/daemon.h"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "agent/agent_metrics.h"
#include "agent/cache/random_uuid.h"
#include "agent/link/controller_link.h"
#include "agent/tasks/node_survey.h"
#include "agent/tasks/node_tasks.h"
#include "common/async/offload.h"
#include "common/async/signal.h"
#include "common/async/task_group.h"
#include "common/process/admin_port.h"
#include "common/process/config_file.h"
#include "common/process/log.h"
#include "common/process/metrics.h"
#include "common/process/stop_signals.h"

#ifndef PREWARM_VERSION
#define PREWARM_VERSION "unknown"
#endif

namespace prewarm::agent {
namespace {

constexpr int kExitWrongUse = 2;
constexpr std::size_t kDiskThreads = 4;
// Looking at the node, measuring disks, and a mount that hangs: these wait for nobody. Two more for
// questions to clients, of which there are two at a time.
constexpr std::size_t kSurveyThreads = 5;
// The first look at the node is worth this much delay of the first hello.
constexpr Duration kFirstLook = std::chrono::seconds(2);

std::optional<std::string> EnvironmentVariable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::string HostName() {
  std::string name(256, '\0');
  ::gethostname(name.data(), name.size() - 1);
  name.resize(name.find('\0'));
  return name;
}

Result<net::HttpServerOptions> AdminOptions(const std::string& listen) {
  net::HttpServerOptions options;
  const auto colon = listen.rfind(':');
  const char* end = listen.data() + listen.size();
  const char* digits = colon == std::string::npos ? end : listen.data() + colon + 1;
  const auto [stop, error] = std::from_chars(digits, end, options.port);
  if (error != std::errc{} || stop != end) {
    return Fail(ErrorCode::kInvalidConfig, "admin.listen: \"" + listen + "\" is not HOST:PORT");
  }
  options.host = listen.substr(0, colon);
  if (options.host.starts_with('[') && options.host.ends_with(']')) {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  return options;
}

NodeLimits LimitsOf(const AgentConfig& config) {
  return {config.limits.download, config.limits.disk_write};
}

// Keys whose values differ although SIGHUP does not change them.
std::string KeysThatNeedARestart(AgentConfig running, AgentConfig wanted) {
  wanted.limits = running.limits;
  wanted.log_level = running.log_level;
  wanted.node.labels = running.node.labels;
  const auto now = AgentConfigSchema(running);
  const auto then = AgentConfigSchema(wanted);
  std::string names;
  for (std::size_t i = 0; i < now.size(); ++i) {
    for (std::size_t j = 0; j < now[i].keys.size(); ++j) {
      if (now[i].keys[j].field.get() == then[i].keys[j].field.get()) continue;
      names += (names.empty() ? "" : " ") + now[i].name + "." + now[i].keys[j].name;
    }
  }
  return names;
}

// Everything that the process owns, in the order in which it is built; destroyed in reverse.
class Daemon {
 public:
  explicit Daemon(ServeOptions options)
      : config_(std::move(options.config)),
        read_again_(std::move(options.read_again)),
        log_(*ParseLogLevel(config_.log_level), *ParseLogFormat(config_.log_format)) {}

  int Run() {
    main_.Spawn("agent", Main());
    background_.Spawn("reload", ReloadOnHangup());
    loop_.run();
    survey_pool_.join();
    disk_pool_.join();
    return exit_code_;
  }

 private:
  Task<void> Main() {
    tasks_.SetLimits(LimitsOf(config_));
    if (const auto opened = Open(); !opened) {
      std::fprintf(stderr, "prewarm-agent: %s\n", opened.error().message.c_str());
      exit_code_ = kExitWrongUse;
    } else {
      background_.Spawn("survey", Survey());
      if (!looked_) co_await first_look_.WaitFor(kFirstLook);
      linking_.Spawn("controller link", link_->Run());
      while (!stop_signals_.received()) co_await stopping_.Wait();
    }
    co_await Close();
  }

  Status Open() {
    TRY(link_, ControllerLink::Open({loop_.get_executor(), clock_, log_, tasks_,
                                     [this] { return State(); }, config_.controller, Identity(),
                                     survey_pool_}));
    metrics_.AddBuildInfo("prewarm_agent", PREWARM_VERSION);
    metrics_.AddProcess();
    AddAgentMetrics(metrics_, {tasks_, engine_, survey_, *link_});
    TRY(auto options, AdminOptions(config_.admin_listen));
    TRY(admin_, AdminPort::Listen(loop_.get_executor(), std::move(options),
                                  {metrics_, [this] { return Ready(); },
                                   [this] { return PrintConfig(AgentConfigSchema(config_)); }}));
    log_.Info("listening",
              {{"admin_port", admin_->port()}, {"node", NodeName()}, {"version", PREWARM_VERSION}});
    return {};
  }

  Task<void> Survey() {
    co_await survey_.Look();
    looked_ = true;
    first_look_.Notify();
    if (config_.node.measure_disks) co_await survey_.MeasureDisks();
    link_->StatusChanged();
    co_await survey_.Follow();
  }

  // Tasks first, then the link, which tells what became of them.
  Task<void> Close() {
    log_.Info("draining");
    if (link_ != nullptr) link_->StatusChanged();
    co_await tasks_.Drain();
    linking_.Stop();
    background_.Stop();
    co_await linking_.Join();
    if (admin_ != nullptr) co_await admin_->Stop();
    co_await background_.Join();
    stop_signals_.Ignore();
    log_.Info("stopped");
  }

  Task<void> ReloadOnHangup() {
    boost::asio::signal_set hangup(loop_.get_executor(), SIGHUP);
    while (!co_await Stopping()) {
      const auto [error, number] = co_await hangup.async_wait(kAsTuple);
      if (error) co_return;
      auto config = co_await Offload(survey_pool_, [this] { return read_again_(); });
      if (!config) {
        log_.Error("config_refused", {{"why", config.error()}});
        continue;
      }
      TakeConfig(*config);
    }
  }

  void TakeConfig(const AgentConfig& wanted) {
    const auto left = KeysThatNeedARestart(config_, wanted);
    // The controller's word counts for more: what it has set stays.
    const bool limits_are_ours = tasks_.limits() == LimitsOf(config_);
    config_.limits = wanted.limits;
    config_.log_level = wanted.log_level;
    config_.node.labels = wanted.node.labels;
    if (limits_are_ours) tasks_.SetLimits(LimitsOf(config_));
    log_.SetLevel(*ParseLogLevel(config_.log_level));
    if (link_ != nullptr) link_->SetLabels(config_.node.labels);
    log_.Info("config_taken");
    if (!left.empty()) log_.Warn("config_needs_restart", {{"keys", left}});
  }

  NodeState State() {
    NodeState state;
    const auto totals = tasks_.Totals();
    state.directories = survey_.directories();
    state.volumes = survey_.volumes();
    state.measured = survey_.measured();
    state.measured.store = tasks_.best_store_rate();
    state.limits = tasks_.limits();
    state.origin_bytes = totals.counts.wire_bytes;
    state.origin_bytes_per_second = tasks_.origin_bytes_per_second();
    state.stored_bytes = totals.counts.fetched_bytes;
    state.draining = tasks_.draining();
    return state;
  }

  [[nodiscard]] Readiness Ready() const {
    if (const auto& why = survey_.unusable()) return {false, *why};
    if (tasks_.draining()) return {false, "draining"};
    // Without a controller the node still does what it was told; that alone restarts nothing.
    return {true, link_->trouble()};
  }

  [[nodiscard]] std::string NodeName() const {
    return config_.node.name.empty() ? HostName() : config_.node.name;
  }
  [[nodiscard]] NodeIdentity Identity() const {
    return {NodeName(), PREWARM_VERSION, RandomUuid(), config_.node.labels};
  }

  AgentConfig config_;
  const std::function<Result<AgentConfig>()> read_again_;
  const Logger log_;
  const SystemClock clock_;
  Metrics metrics_;
  boost::asio::io_context loop_{1};
  boost::asio::thread_pool disk_pool_{kDiskThreads};
  boost::asio::thread_pool survey_pool_{kSurveyThreads};
  int exit_code_ = 0;

  WarmEngine engine_{clock_, config_.engine};
  MountWatch mounts_{loop_.get_executor(), clock_, survey_pool_};
  NodeTasks tasks_{{loop_.get_executor(), clock_, disk_pool_, engine_, mounts_, log_, config_.cache,
                    config_.engine.fetch, config_.honour_volume_limit, EnvironmentVariable}};
  NodeSurvey survey_{{clock_, survey_pool_, mounts_, log_, config_.cache,
                      [this] { return tasks_.Directories(); },
                      [this] {
                        const auto ended = tasks_.Totals().ended;
                        return std::accumulate(ended.begin(), ended.end(), std::uint64_t{0});
                      }}};
  std::unique_ptr<ControllerLink> link_;
  std::unique_ptr<AdminPort> admin_;
  bool looked_ = false;
  Signal first_look_{loop_.get_executor()};
  Signal stopping_{loop_.get_executor()};
  StopSignals stop_signals_{loop_.get_executor(), [this] { stopping_.Notify(); }};
  TaskGroup main_{loop_.get_executor()};
  TaskGroup linking_{loop_.get_executor()};
  TaskGroup background_{loop_.get_executor()};
};

}  // namespace

int RunDaemon(ServeOptions options) { return Daemon(std::move(options)).Run(); }

}  // namespace prewarm::agent
