#include "controller/controller.h"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "common/async/deadline.h"
#include "common/async/offload.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/net/http_server.h"
#include "common/process/admin_port.h"
#include "common/process/config_file.h"
#include "common/process/log.h"
#include "common/process/metrics.h"
#include "common/process/stop_signals.h"
#include "controller/access/cluster_access.h"
#include "controller/admission/webhook.h"
#include "controller/agents/agent_registry.h"
#include "controller/agents/link_service.h"
#include "controller/api/grpc_service.h"
#include "controller/api/rest_api.h"
#include "controller/api/tokens.h"
#include "controller/controller_config.h"
#include "controller/controller_metrics.h"
#include "controller/grpc_port.h"
#include "controller/operator/cluster.h"
#include "controller/operator/kube_metrics.h"
#include "controller/reconcile/leadership.h"
#include "controller/reconcile/service.h"
#include "controller/reconcile/volume_table.h"
#include "controller/startup.h"
#include "controller/workload_kinds.h"

#ifndef PREWARM_VERSION
#define PREWARM_VERSION "unknown"
#endif

namespace prewarm::controller {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitWrongUse = 2;
constexpr auto kGrace = std::chrono::seconds(2);
constexpr auto kPruneEvery = std::chrono::hours(1);
constexpr auto kLookAtTokens = std::chrono::seconds(1);

struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};

Result<HostAndPort> SplitListen(const std::string& text) {
  const auto colon = text.rfind(':');
  int port = -1;
  if (colon != std::string::npos) std::sscanf(text.c_str() + colon + 1, "%d", &port);
  if (port < 0 || port > 65535) {
    return Fail(ErrorCode::kInvalidConfig, "listen: \"" + text + "\" is not HOST:PORT");
  }
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return HostAndPort{host, static_cast<std::uint16_t>(port)};
}

Reconciler::Options ReconcilerOptions(const ControllerConfig& config) {
  return {config.limits, config.agent_timeout, config.follow_interval, config.keep_ended};
}

// Everything that the process owns, in the order in which it is built; destroyed in reverse.
class Controller {
 public:
  // `tokens`: null where there is no file of them. `kube`: the cluster, where there is one.
  Controller(ControllerConfig config, std::string config_file, JobStore& store, Tokens* tokens,
             const std::optional<kube::KubeConfig>& kube, Metrics& metrics)
      : config_(std::move(config)),
        config_file_(std::move(config_file)),
        store_(store),
        tokens_(tokens),
        metrics_(metrics),
        log_(*ParseLogLevel(config_.log_level), *ParseLogFormat(config_.log_format)),
        access_(kube ? MakeAccess(*kube) : nullptr) {
    metrics_.AddBuildInfo("prewarm_controller", PREWARM_VERSION);
    metrics_.AddProcess();
    AddControllerMetrics(
        metrics_, {jobs_, agents_, volumes_.map(), reconciler_, epoch_, leadership_, clock_});
    volumes_.SetConfigured(config_.volumes);
    if (kube) OpenCluster(*kube);
  }

  // Runs to the end; the answer is the exit code.
  int Run() {
    main_.Spawn("controller", Main());
    serving_.Spawn("reload", ReloadOnHangup());
    if (cluster_ != nullptr) serving_.Spawn("volumes", cluster_->Watch());
    if (tokens_ != nullptr) serving_.Spawn("tokens", FollowTokens());
    loop_.run();
    file_pool_.join();
    store_pool_.join();
    return exit_code_;
  }

 private:
  Task<void> Main() {
    auto opened = OpenPorts();
    if (!opened) {
      std::fprintf(stderr, "prewarm-controller: %s\n", opened.error().message.c_str());
      exit_code_ = kExitWrongUse;
    } else {
      lead_.Spawn("lead", Lead());
      co_await lead_.Join();
    }
    co_await Close();
  }

  Status OpenPorts() {
    TRY(auto options, ServerOptions(config_.http_listen));
    options.urgent_paths = AdminPages::UrgentPaths();
    options.limits.requests = config_.max_requests;
    TRY(http_, net::HttpServer::Listen(loop_.get_executor(), std::move(options), rest_.Handler()));
    AddHttpServerMetrics(metrics_, "prewarm_controller", http_->counts());
    TRY(grpc_, OpenGrpcPort(config_, {&link_, &public_}));
    if (!config_.webhook_listen.empty()) {
      TRY(auto of_webhook, ServerOptions(config_.webhook_listen));
      TRY(webhook_, OpenWebhook(loop_.get_executor(), std::move(of_webhook)));
      log_.Info("answers_for_pods", {{"webhook_port", webhook_->port()}});
    }
    log_.Info(
        "listening",
        {{"grpc_port", grpc_.port}, {"http_port", http_->port()}, {"version", PREWARM_VERSION}});
    return {};
  }

  Result<net::HttpServerOptions> ServerOptions(const std::string& listen) {
    TRY(const auto at, SplitListen(listen));
    net::HttpServerOptions options;
    options.host = at.host;
    options.port = at.port;
    options.pool = &file_pool_;
    if (!config_.certificate_file.empty()) {
      options.tls = net::ServerTlsFiles{config_.certificate_file, config_.key_file, ""};
    }
    return options;
  }

  Task<void> FollowTokens() {
    return tokens_->Follow(file_pool_, kLookAtTokens, [this](const Status& read) {
      if (read) log_.Info("tokens_taken");
      if (!read) log_.Error("tokens_refused", {{"why", read.error()}});
    });
  }

  // Waits for the lead, then works until it is stopped or the lead is lost.
  Task<void> Lead() {
    const auto epoch = co_await leadership_.Acquire();
    if (epoch == 0) co_return;
    holds_lease_ = true;
    if (const auto loaded = co_await jobs_.Load(config_.keep_ended); !loaded) {
      co_return Lose(loaded.error());
    }
    // Not longer than half of what the lease lasts: it is renewed only afterwards.
    if (cluster_ != nullptr) co_await cluster_->WaitForVolumes(config_.lease / 2);
    epoch_ = epoch;
    agents_.SetEpoch(epoch);
    serving_.Spawn("write", jobs_.WriteLoop());
    serving_.Spawn("reconcile", reconciler_.Run());
    serving_.Spawn("prune", Prune());
    if (cluster_ != nullptr) serving_.Spawn("cluster", cluster_->Run());
    service_.SetLeading(true);
    if (access_ != nullptr) access_->SetLeading(true);
    if (const auto kept = co_await leadership_.Keep(clock_); !kept) Lose(kept.error());
  }

  // What ended stays for a day at least, because its idempotency key does.
  Task<void> Prune() {
    while (co_await SleepFor(kPruneEvery)) {
      const auto pruned = co_await Offload(store_pool_, [this] {
        return store_.Prune(config_.keep_ended, clock_.WallNow() - std::chrono::hours(24));
      });
      if (!pruned) log_.Warn("prune_failed", {{"why", pruned.error()}});
    }
  }

  // A leader that is none any more must not act on what it believes: the process ends, and what
  // starts in its place reads everything anew.
  void Lose(const Error& why) {
    log_.Error("lead_lost", {{"why", why}});
    holds_lease_ = false;
    epoch_ = 0;
    exit_code_ = kExitFailed;
    lead_.Stop();
  }

  Task<void> Close() {
    service_.SetLeading(false);
    public_.Stop();
    links_.Stop();
    serving_.Stop();
    if (access_ != nullptr) access_->Stop();
    if (http_ != nullptr) co_await http_->Stop(kGrace);
    if (webhook_ != nullptr) co_await webhook_->Stop(kGrace);
    co_await public_.Join();
    co_await links_.Join();
    co_await serving_.Join();
    if (access_ != nullptr) co_await access_->Join();
    if (grpc_.server != nullptr) {
      // Blocks until gRPC's threads are done with us; their last words arrive on this loop.
      static_cast<void>(co_await Offload(file_pool_, [this] {
        grpc_.server->Shutdown(clock_.WallNow() + kGrace);
        return true;
      }));
    }
    if (holds_lease_) co_await leadership_.GiveUp();
    log_.Info("stopped");
    stop_.Ignore();
  }

  // The configuration was used already to open the job store, so that it can be.
  void OpenCluster(const kube::KubeConfig& config) {
    auto cluster =
        Cluster::Make({loop_.get_executor(), file_pool_, clock_, log_, jobs_, agents_, volumes_,
                       reconciler_, service_, metrics_, HostName(), std::random_device{}()},
                      {config_.kubernetes.name_space, config_.kubernetes.builder_storage_class,
                       config_.kubernetes.mark_nodes, WorkloadMappings(config_.workloads)},
                      config);
    if (!cluster) return log_.Error("cluster_unusable", {{"why", cluster.error()}});
    cluster_ = *std::move(cluster);
    service_.SetBentos(&cluster_->bentos());
  }

  std::unique_ptr<ClusterAccess> MakeAccess(const kube::KubeConfig& kube) {
    const auto& own = config_.kubernetes;
    return std::make_unique<ClusterAccess>(
        ClusterAccess::Parts{loop_.get_executor(), file_pool_, clock_, log_, metrics_, tokens_},
        ClusterAccess::Options{own.name_space, own.agent_service_account, PodName()}, kube);
  }

  void NoteLeader() {
    service_.SetLeader(leadership_.standing().leader);
    agents_.SetLeader(leadership_.standing().leader);
  }

  // Where callers find the leader by the label of its pod, a standby that watches the lease is as
  // ready as it can be. Without a cluster readiness itself tells where the leader is.
  [[nodiscard]] Readiness Ready() const {
    if (epoch_ != 0) return {true, "leads in epoch " + std::to_string(epoch_)};
    if (holds_lease_) return {false, "takes over: reads what was accepted"};
    const auto& [leader, trouble] = leadership_.standing();
    if (!trouble.empty()) return {false, trouble};
    auto words = "stands by: " + (leader.empty() ? "another process" : leader) + " leads";
    if (access_ == nullptr) return {false, std::move(words)};
    if (auto label = access_->trouble(); !label.empty()) return {false, std::move(label)};
    return {true, words + ", and its lease is watched"};
  }

  Task<void> ReloadOnHangup() {
    boost::asio::signal_set hangup(loop_.get_executor(), SIGHUP);
    while (!co_await Stopping()) {
      const auto [error, number] = co_await hangup.async_wait(kAsTuple);
      if (error) co_return;
      auto config = co_await Offload(file_pool_, [this] {
        return ReadControllerConfig(config_file_, ErrorCode::kInvalidConfig);
      });
      if (!config) {
        log_.Error("config_refused", {{"why", config.error()}});
        continue;
      }
      config_.limits = config->limits;
      config_.agent_timeout = config->agent_timeout;
      config_.follow_interval = config->follow_interval;
      config_.volumes = std::move(config->volumes);
      volumes_.SetConfigured(config_.volumes);
      config_.log_level = config->log_level;
      log_.SetLevel(*ParseLogLevel(config_.log_level));
      reconciler_.SetOptions(ReconcilerOptions(config_));
      log_.Info("config_taken", {{"volumes", config_.volumes.size()}});
    }
  }

  ControllerConfig config_;
  const std::string config_file_;
  JobStore& store_;
  Tokens* const tokens_;
  Metrics& metrics_;
  Logger log_;
  SystemClock clock_;
  boost::asio::io_context loop_{1};
  boost::asio::thread_pool store_pool_{1};
  boost::asio::thread_pool file_pool_{2};
  int exit_code_ = 0;
  bool holds_lease_ = false;
  std::uint64_t epoch_ = 0;  // 0: does not lead, or does not know yet what was accepted
  const std::unique_ptr<ClusterAccess> access_;  // null: there is no cluster
  Authenticator& callers_ =
      access_ != nullptr ? access_->callers() : static_cast<Authenticator&>(*tokens_);

  TaskGroup main_{loop_.get_executor()};
  TaskGroup lead_{loop_.get_executor()};
  TaskGroup serving_{loop_.get_executor()};
  TaskGroup links_{loop_.get_executor()};

  StopSignals stop_{loop_.get_executor(), [this] { lead_.Stop(); }};

  VolumeTable volumes_{clock_};
  ReconcileMetrics reconcile_metrics_{metrics_};
  AgentRegistry agents_{clock_, log_, {.version = PREWARM_VERSION}, [this] { reconciler_.Wake(); }};
  JobTable jobs_{loop_.get_executor(), store_pool_, store_,
                 [this](const Error& why) { Lose(why); }};
  Reconciler reconciler_{
      loop_.get_executor(),      clock_, log_, reconcile_metrics_, jobs_, agents_, volumes_.map(),
      ReconcilerOptions(config_)};
  Leadership leadership_{store_,        store_pool_,  log_,
                         config_.lease, HolderName(), [this] { NoteLeader(); }};
  ControllerService service_{{loop_.get_executor(), clock_, log_, jobs_, agents_, volumes_.map(),
                              reconciler_, config_.max_prewarms}};
  GrpcService public_{{loop_.get_executor(), service_, callers_, clock_},
                      {.calls = config_.max_requests}};
  LinkService link_{loop_.get_executor(), agents_, links_,
                    access_ != nullptr ? &access_->agents() : nullptr};
  AdminPages pages_{{metrics_, [this] { return Ready(); },
                     [this] { return PrintConfig(ControllerConfigSchema(config_)); }}};
  std::unique_ptr<Cluster> cluster_;
  RestApi rest_{{service_, callers_, pages_, clock_, &metrics_}};
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<net::HttpServer> webhook_;  // null: not wanted
  GrpcPort grpc_;
};

int ReportError(const Error& error) {
  std::fprintf(stderr, "prewarm-controller: %s\n", error.message.c_str());
  const bool wrong_use =
      error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kInvalidConfig;
  return wrong_use ? kExitWrongUse : kExitFailed;
}

int Serve(ControllerConfig config, const std::string& config_file) {
  const SystemClock clock;
  auto kube = FindCluster(config.kubernetes);
  if (!kube) return ReportError(kube.error());
  Metrics metrics;
  std::optional<KubeMetrics> requests;
  if (*kube) (*kube)->meter = &requests.emplace(metrics);
  auto store = OpenStore(config, clock, *kube);
  if (!store) return ReportError(store.error());
  std::unique_ptr<Tokens> tokens;
  if (!config.tokens_file.empty()) {
    auto loaded = Tokens::Load(config.tokens_file, clock);
    if (!loaded) return ReportError(loaded.error());
    tokens = *std::move(loaded);
  }
  return Controller(std::move(config), config_file, **store, tokens.get(), *kube, metrics).Run();
}

}  // namespace

int RunController(int argc, const char* const* argv) {
  CLI::App app(
      "Decides which node warms what, in what order and by when; keeps accepted prewarms and "
      "answers REST and gRPC.",
      "prewarm-controller");
  app.set_version_flag("--version", std::string("prewarm-controller ") + PREWARM_VERSION);
  app.footer("Exit codes: 0 stopped, 1 failed or lost the lead, 2 wrong use or configuration.");
  std::string config_file;
  bool check = false;
  bool print = false;
  app.add_option("--config", config_file, "controller.yaml")->type_name("FILE");
  app.add_flag("--check-config", check, "read the configuration, say whether it is right");
  app.add_flag("--print-config", print,
               "print the configuration in force as a file, with every key explained");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    std::puts(app.version().c_str());
    return 0;
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& e) {
    return ReportError(Fail(ErrorCode::kInvalidArgument, e.what()));
  }
  if (print && config_file.empty()) {
    ControllerConfig defaults;
    std::fputs(PrintConfig(ControllerConfigSchema(defaults)).c_str(), stdout);
    return 0;
  }
  auto config = ReadControllerConfig(config_file, ErrorCode::kInvalidConfig);
  if (!config) return ReportError(config.error());
  if (print) std::fputs(PrintConfig(ControllerConfigSchema(*config)).c_str(), stdout);
  if (check) std::puts("the configuration is right");
  if (print || check) return 0;
  return Serve(*std::move(config), config_file);
}

}  // namespace prewarm::controller
