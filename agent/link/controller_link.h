// The agent's side of the stream to the controller: dials, says hello, takes orders to the tasks
// and brings their reports back, and begins anew whenever the stream ends. The tasks do not depend
// on it. Lives on the control executor.
#pragma once

#include <prewarm/v1/agent_link.grpc.pb.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent_config.h"
#include "agent/link/backoff.h"
#include "agent/link/channel.h"
#include "agent/link/plan_assembly.h"
#include "agent/link/wire.h"
#include "agent/tasks/node_tasks.h"
#include "common/async/grpc_stream.h"
#include "common/async/signal.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/process/log.h"

namespace prewarm::agent {

class ControllerLink {
 public:
  struct Context {
    boost::asio::any_io_executor executor;
    const Clock& clock;
    Logger log;
    NodeTasks& tasks;
    std::function<NodeState()> state;  // the node as it is
    ControllerAddress controller;
    NodeIdentity identity;
    boost::asio::thread_pool& files;  // reads the token
  };
  // kInvalidConfig names the certificate file that cannot be read.
  static Result<std::unique_ptr<ControllerLink>> Open(Context context);

  // Until stopped. Then the stream, if there is one, is closed in order: what was reported last has
  // arrived, within kFarewell.
  Task<void> Run();
  static constexpr Duration kFarewell = std::chrono::seconds(1);

  // After a change of the state that is worth a message at once.
  void StatusChanged();
  // Says hello again with these.
  void SetLabels(std::map<std::string, std::string> labels);

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::uint64_t epoch() const { return newest_epoch_; }
  [[nodiscard]] std::uint64_t streams() const { return streams_; }  // begun so far
  // Why there is no connection; empty while there is one.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  using Stream = MessageStream<v1::ControllerMessage, v1::AgentMessage>;
  using SharedStream = std::shared_ptr<Stream>;

  ControllerLink(Context context, std::vector<ControllerRoute> controllers);
  // One stream from hello to its end; how it ended. `token` may be empty.
  Task<grpc::Status> OneStream(const ControllerRoute& controller, Secret token);
  Task<grpc::Status> Dial(const ControllerRoute& controller);
  Task<Status> Talk(SharedStream stream);
  Task<Status> Listen(SharedStream stream);
  Task<void> Report(SharedStream stream);
  Task<void> SayFarewell(SharedStream stream);
  // Takes the message; an error ends the stream.
  Status Take(const v1::ControllerMessage& message);
  Status CheckEpoch(const v1::ControllerMessage& message);
  void TakeWelcome(const v1::Welcome& welcome);
  void TakeOrder(const v1::TaskOrder& order);
  void Finish(std::optional<AssembledOrder> assembled);
  void SendReports(Stream& stream, bool and_running);
  void NoteEnd(const grpc::Status& status);

  Context context_;
  const std::vector<ControllerRoute> controllers_;
  Backoff backoff_;
  PlanAssembly assembly_;
  std::shared_ptr<grpc::Channel> channel_;  // of the last dial
  SharedStream stream_;                     // the one that is there
  Signal changed_;                          // something is to be said
  std::uint64_t said_version_ = 0;
  bool status_changed_ = false;
  Duration status_interval_ = std::chrono::seconds(5);
  std::uint64_t newest_epoch_ = 0;
  std::uint64_t streams_ = 0;
  bool connected_ = false;
  bool again_at_once_ = false;
  std::string trouble_;
};

}  // namespace prewarm::agent
