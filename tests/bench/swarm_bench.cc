// One controller with 1,000 agents and 100,000 slices to plan, on this machine, with a real Redis:
// how long from a submission until its last agent has its plan, what the controller costs while
// nothing happens, and how soon everybody is back after all connections broke at once. usage:
// swarm_bench CONTROLLER [AGENTS [PREWARMS [SLICES]]]
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <prewarm/v1/prewarm.grpc.pb.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "common/async/task_group.h"
#include "tests/bench/swarm_agent.h"
#include "tests/integration/metadata/redis_rig.h"

namespace prewarm::bench {
namespace {

constexpr auto kToken = "swarm-token";
constexpr std::size_t kNodesOfAPrewarm = 10;

double SecondsSince(Time begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Size {
  std::size_t agents = 1000;
  std::size_t prewarms = 100;
  std::size_t slices = 1000;  // of each prewarm
};

// CPU seconds and resident bytes of another process.
struct Usage {
  double cpu = 0;
  double resident_mib = 0;
};

Usage UsageOf(pid_t pid) {
  Usage usage;
  const auto folder = "/proc/" + std::to_string(pid);
  std::ifstream stat(folder + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  unsigned long user = 0;
  unsigned long system = 0;
  std::sscanf(text.substr(text.rfind(')') + 2).c_str(),
              "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  usage.cpu = static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) usage.resident_mib = std::stod(line.substr(6)) / 1024;
  }
  return usage;
}

void BuildVolume(metadata::RedisServer& redis, const Size& size) {
  metadata::VolumeBuilder volume(redis, 0);
  volume.Setting("models");
  for (std::size_t i = 0; i < size.prewarms; ++i) {
    const auto folder = volume.Directory(metadata::VolumeBuilder::kRoot, "m" + std::to_string(i));
    for (std::size_t slices = 0; slices < size.slices; slices += 100) {
      volume.Written(folder, "shard-" + std::to_string(slices) + ".safetensors", 100ULL << 26);
    }
  }
  redis.Flush();
}

std::string Field(const std::string& log, const std::string& name) {
  const auto at = log.find(name + "=");
  if (at == std::string::npos) return "";
  return log.substr(at + name.size() + 1, log.find_first_of(" \n", at) - at - name.size() - 1);
}

// Everything that runs, and what is asked of it from this thread.
class Bench {
 public:
  // On the agents' loop, from another thread.
  template <class Function>
  auto On(Function function) {
    std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
    auto answer = task.get_future();
    boost::asio::post(loop_, std::move(task));
    return answer.get();
  }

  Bench(const std::string& controller, const Size& size)
      : size_(size), redis_(folder_, "redis"), work_(loop_.get_executor()) {
    BuildVolume(redis_, size_);
    std::ofstream(folder_ / "tokens") << kToken << ",swarm,default,get+create+cancel+metrics\n";
    std::ofstream(folder_ / "controller.yaml")
        << "listen: {grpc: '127.0.0.1:0', http: '127.0.0.1:0', insecure-loopback: true}\n"
        << "api: {tokens: " << (folder_ / "tokens") << "}\n"
        << "jobs: {database: " << (folder_ / "jobs.db") << "}\n"
        << "volumes: {models: {meta: 'redis://" << redis_.address() << "/0'}}\n";
    process_ = std::make_unique<rig::ChildProcess>(
        std::vector<std::string>{controller, "--config", folder_ / "controller.yaml"},
        folder_ / "controller.log");
    if (!rig::WaitFor([&] { return process_->Log().find("listening") != std::string::npos; })) {
      std::fprintf(stderr, "the controller did not start:\n%s\n", process_->Log().c_str());
      std::exit(1);
    }
    target_ = "127.0.0.1:" + Field(process_->Log(), "grpc_port");
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Bench() {
    On([this] { agents_group_.Stop(); });
    work_.reset();
    thread_.join();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  bool WaitForAll(std::chrono::seconds limit) {
    return rig::WaitFor([&] { return On([&] { return events_.welcomed; }) == size_.agents; },
                        limit);
  }

  void Connect() {
    const auto begin = std::chrono::steady_clock::now();
    On([&] {
      for (std::size_t i = 0; i < size_.agents; ++i) {
        agents_.push_back(
            std::make_unique<SwarmAgent>(loop_, target_, "n" + std::to_string(i), events_));
        agents_group_.Spawn("agent", agents_.back()->Live());
      }
    });
    if (!WaitForAll(std::chrono::seconds(120))) return Missed("all agents connected");
    std::printf("%zu agents connected in %.1f s\n", size_.agents, SecondsSince(begin));
  }

  void Idle(const char* when) {
    const auto before = UsageOf(process_->pid());
    const auto begin = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::seconds(15));
    const auto after = UsageOf(process_->pid());
    std::printf("controller idle %s: %.1f %% of a core, %.0f MiB\n", when,
                100 * (after.cpu - before.cpu) / SecondsSince(begin), after.resident_mib);
  }

  void Submit() {
    auto stub = v1::PrewarmService::NewStub(
        grpc::CreateChannel(target_, grpc::InsecureChannelCredentials()));
    std::map<std::string, Time> submitted;
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < size_.prewarms; ++i) {
      v1::CreatePrewarmRequest request;
      auto& spec = *request.mutable_spec();
      spec.set_volume("models");
      spec.add_paths("m" + std::to_string(i));
      for (std::size_t k = 0; k < kNodesOfAPrewarm; ++k) {
        spec.mutable_nodes()->add_names("n" +
                                        std::to_string((i * kNodesOfAPrewarm + k) % size_.agents));
      }
      grpc::ClientContext context;
      context.AddMetadata("authorization", std::string("Bearer ") + kToken);
      v1::Prewarm answer;
      const auto now = std::chrono::steady_clock::now();
      const auto status = stub->CreatePrewarm(&context, request, &answer);
      if (!status.ok()) {
        std::fprintf(stderr, "refused: %s\n", status.error_message().c_str());
        return Missed("every submission accepted");
      }
      submitted[answer.id()] = now;
    }
    const bool all = rig::WaitFor(
        [&] {
          return On([&] {
                   std::size_t received = 0;
                   for (const auto& [prewarm, count] : events_.received) received += count;
                   return received;
                 }) == size_.prewarms * kNodesOfAPrewarm;
        },
        std::chrono::seconds(60));
    if (!all) return Missed("every plan at its agents");
    std::vector<double> seconds;
    for (const auto& [prewarm, when] : On([&] { return events_.last_plan; })) {
      seconds.push_back(std::chrono::duration<double>(when - submitted.at(prewarm)).count());
    }
    std::ranges::sort(seconds);
    const auto runs = On([&] { return events_.runs; });
    std::printf(
        "%zu prewarms of %zu slices to %zu agents each, one after the other in %.1f s (%zu slices "
        "planned, %llu sent)\nsubmission to last agent: median %.3f s, p99 %.3f s\n",
        size_.prewarms, size_.slices, kNodesOfAPrewarm, SecondsSince(begin),
        size_.prewarms * size_.slices, static_cast<unsigned long long>(runs),
        seconds[seconds.size() / 2], seconds[seconds.size() * 99 / 100]);
  }

  void DropAll() {
    const auto commands = [&] { return std::stoull(AfterColon("total_commands_processed")); };
    const auto before = commands();
    const auto begin = std::chrono::steady_clock::now();
    On([&] {
      for (const auto& agent : agents_) agent->Cut();
    });
    rig::WaitFor([&] { return On([&] { return events_.welcomed; }) < size_.agents; });
    if (!WaitForAll(std::chrono::seconds(60))) return Missed("all agents back");
    std::printf("all dropped at once, all back after %.1f s; Redis was sent %llu commands\n",
                SecondsSince(begin), static_cast<unsigned long long>(commands() - before));
  }

  [[nodiscard]] int exit_code() const { return exit_code_; }

 private:
  std::string AfterColon(const std::string& name) {
    const auto info = redis_.Do({"INFO", "stats"});
    return info.substr(info.find(name) + name.size() + 1);
  }

  void Missed(const char* what) {
    std::fprintf(stderr, "missed: %s\n%s\n", what, process_->Log().c_str());
    exit_code_ = 1;
  }

  const Size size_;
  int exit_code_ = 0;
  rig::TempDir folder_;
  metadata::RedisServer redis_;
  std::unique_ptr<rig::ChildProcess> process_;
  std::string target_;
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  SwarmEvents events_;
  std::vector<std::unique_ptr<SwarmAgent>> agents_;
  TaskGroup agents_group_{loop_.get_executor()};
  std::thread thread_;
};

}  // namespace
}  // namespace prewarm::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: swarm_bench CONTROLLER [AGENTS [PREWARMS [SLICES]]]\n");
    return 2;
  }
  prewarm::bench::Size size;
  if (argc > 2) size.agents = std::stoul(argv[2]);
  if (argc > 3) size.prewarms = std::stoul(argv[3]);
  if (argc > 4) size.slices = std::stoul(argv[4]);
  prewarm::bench::Bench bench(argv[1], size);
  bench.Connect();
  bench.Idle("with all connected");
  bench.Submit();
  bench.Idle("with everything done");
  bench.DropAll();
  return bench.exit_code();
}
