// A fleet of agents without disks for a controller that somebody else started; lives until SIGTERM
// or SIGINT. Prints "welcomed COUNT" once all are connected, and for every order that an agent has
// whole "order PREWARM NODE MICROSECONDS", of the wall clock. usage: bench_swarm TARGET PREFIX
// COUNT
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "tests/bench/swarm_agent.h"

namespace prewarm::bench {
namespace {

void SayOrder(const std::string& prewarm, const std::string& node) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::printf(
      "order %s %s %lld\n", prewarm.c_str(), node.c_str(),
      static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
  std::fflush(stdout);
}

Task<void> SayWelcomed(const SwarmEvents& events, std::size_t count) {
  while (events.welcomed < count) {
    if (!co_await SleepFor(std::chrono::milliseconds(20))) co_return;
  }
  std::printf("welcomed %zu\n", count);
  std::fflush(stdout);
}

int Run(const std::string& target, const std::string& prefix, std::size_t count) {
  boost::asio::io_context loop{1};
  SwarmEvents events;
  events.planned = SayOrder;
  std::vector<std::unique_ptr<SwarmAgent>> agents;
  TaskGroup living(loop.get_executor());
  for (std::size_t i = 0; i < count; ++i) {
    agents.push_back(
        std::make_unique<SwarmAgent>(loop, target, prefix + std::to_string(i), events));
    living.Spawn("agent", agents.back()->Live());
  }
  living.Spawn("welcomed", SayWelcomed(events, count));
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code&, int) { loop.stop(); });
  loop.run();
  std::_Exit(0);  // what still runs has nobody to wait for it
}

}  // namespace
}  // namespace prewarm::bench

int main(int argc, char** argv) {
  std::size_t count = 0;
  if (argc == 4) {
    const std::string_view text = argv[3];
    std::from_chars(text.data(), text.data() + text.size(), count);
  }
  if (count == 0) {
    std::fprintf(stderr, "usage: bench_swarm TARGET PREFIX COUNT\n");
    return 2;
  }
  return prewarm::bench::Run(argv[1], argv[2], count);
}
