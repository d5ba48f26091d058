// REST under ten times the load it is made for, with a hundred agents connected: how long accepted
// requests take against the normal load, how fast the others are refused, and whether an agent is
// lost. usage: rest_bench CONTROLLER [CONNECTIONS]
#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <istream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "tests/bench/swarm_agent.h"
#include "tests/rig/child_process.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::bench {
namespace {

using boost::asio::ip::tcp;

constexpr auto kToken = "bench-token";
constexpr auto kPhase = std::chrono::seconds(5);
constexpr std::size_t kAgents = 100;

struct Answers {
  std::map<unsigned, std::vector<double>> milliseconds;  // by status
  std::size_t broken = 0;
};

struct Caller {
  std::string port;
  Answers& answers;
  Time end;
};

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(static_cast<double>(values.size() - 1) * share)];
}

// One request on a kept connection; the status, or 0 if the connection broke.
Task<unsigned> Ask(tcp::socket& socket, boost::asio::streambuf& buffer) {
  static const std::string request =
      std::string(
          "GET /api/v1/prewarms?page_size=10 HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ") +
      kToken + "\r\n\r\n";
  auto [write_error, written] =
      co_await boost::asio::async_write(socket, boost::asio::buffer(request), kAsTuple);
  if (write_error) co_return 0;
  auto [head_error, head] =
      co_await boost::asio::async_read_until(socket, buffer, "\r\n\r\n", kAsTuple);
  if (head_error) co_return 0;
  const std::string text(static_cast<const char*>(buffer.data().data()), head);
  buffer.consume(head);
  const auto at = text.find("Content-Length: ");
  const auto length = at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
  if (buffer.size() < length) {
    auto [body_error, body] = co_await boost::asio::async_read(
        socket, buffer, boost::asio::transfer_exactly(length - buffer.size()), kAsTuple);
    if (body_error) co_return 0;
  }
  buffer.consume(length);
  co_return static_cast<unsigned>(std::stoul(text.substr(9, 3)));
}

// Asks again as soon as it is answered; after a refusal it waits as it is told to, a second at
// most.
Task<void> Call(Caller caller) {
  const auto executor = co_await boost::asio::this_coro::executor;
  while (std::chrono::steady_clock::now() < caller.end && !co_await Stopping()) {
    tcp::socket socket(executor);
    boost::asio::streambuf buffer;
    const tcp::endpoint server(boost::asio::ip::address_v4::loopback(),
                               static_cast<std::uint16_t>(std::stoul(caller.port)));
    if (auto [error] = co_await socket.async_connect(server, kAsTuple); error) {
      ++caller.answers.broken;
      co_await SleepFor(std::chrono::milliseconds(10));
      continue;
    }
    while (std::chrono::steady_clock::now() < caller.end) {
      const auto begin = std::chrono::steady_clock::now();
      const auto status = co_await Ask(socket, buffer);
      if (status == 0) {
        ++caller.answers.broken;
        break;
      }
      caller.answers.milliseconds[status].push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
              .count());
      if (status == 429) co_await SleepFor(std::chrono::seconds(1));
    }
  }
}

std::string Field(const std::string& log, const std::string& name) {
  const auto at = log.find(name + "=");
  return at == std::string::npos ? ""
                                 : log.substr(at + name.size() + 1,
                                              log.find_first_of(" \n", at) - at - name.size() - 1);
}

Task<void> Phase(boost::asio::io_context& loop, const char* name, std::size_t connections,
                 std::string port, double* p99) {
  Answers answers;
  TaskGroup group(loop.get_executor());
  const auto end = std::chrono::steady_clock::now() + kPhase;
  for (std::size_t i = 0; i < connections; ++i) group.Spawn("caller", Call({port, answers, end}));
  co_await group.Join();
  const auto& accepted = answers.milliseconds[200];
  const auto& refused = answers.milliseconds[429];
  *p99 = Percentile(accepted, 0.99);
  std::printf(
      "%-8s %4zu connections: %7zu accepted (median %.2f ms, p99 %.2f ms), %zu refused (p99 %.2f "
      "ms), "
      "%zu broken\n",
      name, connections, accepted.size(), Percentile(accepted, 0.5), *p99, refused.size(),
      Percentile(refused, 0.99), answers.broken);
}

Task<void> Run(boost::asio::io_context& loop, std::string http, std::size_t connections,
               SwarmEvents& events, TaskGroup& agents) {
  while (events.welcomed < kAgents) co_await SleepFor(std::chrono::milliseconds(50));
  double normal = 0;
  double overload = 0;
  co_await Phase(loop, "warm-up", connections, http, &normal);
  co_await Phase(loop, "normal", connections, http, &normal);
  co_await Phase(loop, "overload", 10 * connections, http, &overload);
  std::printf("p99 of what was accepted: %.1fx; agents connected: %zu of %zu\n", overload / normal,
              events.welcomed, kAgents);
  agents.Stop();
}

int Main(const std::string& controller, std::size_t connections) {
  rig::TempDir folder;
  std::ofstream(folder / "tokens") << kToken << ",bench,default,get+create+cancel\n";
  std::ofstream(folder / "controller.yaml")
      << "listen: {grpc: '127.0.0.1:0', http: '127.0.0.1:0', insecure-loopback: true}\n"
      << "api: {tokens: " << (folder / "tokens") << ", max-requests: " << connections << "}\n"
      << "jobs: {database: " << (folder / "jobs.db") << "}\n";
  rig::ChildProcess process({controller, "--config", folder / "controller.yaml"}, folder / "log");
  if (!rig::WaitFor([&] { return process.Log().find("leading") != std::string::npos; })) {
    std::fprintf(stderr, "the controller did not start:\n%s\n", process.Log().c_str());
    return 1;
  }
  boost::asio::io_context loop(1);
  SwarmEvents events;
  std::vector<std::unique_ptr<SwarmAgent>> swarm;
  TaskGroup agents(loop.get_executor());
  for (std::size_t i = 0; i < kAgents; ++i) {
    swarm.push_back(std::make_unique<SwarmAgent>(
        loop, "127.0.0.1:" + Field(process.Log(), "grpc_port"), "n" + std::to_string(i), events));
    agents.Spawn("agent", swarm.back()->Live());
  }
  TaskGroup main(loop.get_executor());
  main.Spawn("bench", Run(loop, Field(process.Log(), "http_port"), connections, events, agents));
  loop.run();
  return 0;
}

}  // namespace
}  // namespace prewarm::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: rest_bench CONTROLLER [CONNECTIONS]\n");
    return 2;
  }
  return prewarm::bench::Main(argv[1], argc > 2 ? std::stoul(argv[2]) : 32);
}
