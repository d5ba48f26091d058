// Agents without a disk, as many as a controller shall be tried with: each has a connection and a
// stream of its own, says hello, takes orders, and reports their blocks as visible at once.
#pragma once

#include <prewarm/v1/agent_link.grpc.pb.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "common/async/grpc_stream.h"
#include "common/async/task.h"

namespace prewarm::bench {

using Time = std::chrono::steady_clock::time_point;

// What all agents together saw. On the loop of the agents.
struct SwarmEvents {
  std::size_t welcomed = 0;               // streams that are welcome now
  std::map<std::string, Time> last_plan;  // by prewarm: when the last agent had all of its plan
  std::map<std::string, std::size_t> received;  // by prewarm: agents that have the plan
  std::uint64_t runs = 0;
  // Called when an agent has all of the plan of an order.
  std::function<void(const std::string& prewarm, const std::string& node)> planned;
};

class SwarmAgent {
 public:
  SwarmAgent(boost::asio::io_context& loop, const std::string& target, std::string name,
             SwarmEvents& events);

  // Connects, and again with full jitter whenever the stream ends, until stopped.
  Task<void> Live();
  // Cuts the stream, as a network would.
  void Cut();

 private:
  Task<void> OneStream();
  void Take(const v1::ControllerMessage& message);
  void Report(const v1::TaskId& task, v1::TaskState state, std::uint64_t bytes);
  v1::AgentMessage Hello() const;
  v1::NodeStatus Status() const;
  Task<void> SayStatus(
      std::shared_ptr<MessageStream<v1::ControllerMessage, v1::AgentMessage>> stream);

  struct Order {
    v1::TaskOrder order;
    std::uint32_t parts = 0;
  };

  boost::asio::io_context& loop_;
  const std::string name_;
  SwarmEvents& events_;
  std::unique_ptr<v1::AgentLink::Stub> stub_;
  std::shared_ptr<MessageStream<v1::ControllerMessage, v1::AgentMessage>> stream_;
  std::map<std::string, Order> orders_;
  std::map<std::string, v1::TaskReport> held_;
  std::uint64_t epoch_ = 0;
  bool welcome_ = false;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace prewarm::bench
