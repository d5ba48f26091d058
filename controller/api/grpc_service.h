// prewarm.v1.PrewarmService for callers. gRPC calls in on threads of its own: there a call is let
// in (is it a stranger's, is there room), then it hops to the control executor, where callers who
// are not known yet are asked about and the PrewarmService answers. Nothing waits on a thread of
// gRPC.
#pragma once

#include <grpcpp/support/server_callback.h>
#include <prewarm/v1/prewarm.grpc.pb.h>

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>

#include "common/async/task.h"
#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "controller/api/authenticator.h"
#include "controller/api/prewarm_service.h"

namespace prewarm::controller {

struct GrpcLimits {
  std::size_t calls = 256;                    // at once; more are refused with RESOURCE_EXHAUSTED
  std::size_t watches = 1024;                 // likewise
  Duration call = std::chrono::seconds(30);   // for calls whose caller names no earlier deadline
  Duration write = std::chrono::seconds(30);  // for one message of a watch; a stalled caller is cut
  Duration between_updates = std::chrono::milliseconds(100);  // of a watch
};

// Must outlive the grpc::Server that it is registered with. To end: Stop() and Join() on the
// control executor, then grpc::Server::Shutdown (which blocks) on another thread, all while the
// executor still runs; in the other order Shutdown needs a deadline, because watches last.
class GrpcService final : public v1::PrewarmService::CallbackService {
 public:
  struct Parts {
    boost::asio::any_io_executor control;
    PrewarmService& service;
    Authenticator& authenticator;
    const Clock& clock;
  };
  explicit GrpcService(const Parts& parts, const GrpcLimits& limits = {});

  // On the control executor: ends all calls with UNAVAILABLE, and every later one.
  void Stop() { group_.Stop(); }
  Task<void> Join() { return group_.Join(); }

  grpc::ServerUnaryReactor* CreatePrewarm(grpc::CallbackServerContext* context,
                                          const v1::CreatePrewarmRequest* request,
                                          v1::Prewarm* response) override;
  grpc::ServerUnaryReactor* PlanPrewarm(grpc::CallbackServerContext* context,
                                        const v1::CreatePrewarmRequest* request,
                                        v1::PrewarmPlan* response) override;
  grpc::ServerUnaryReactor* GetPrewarm(grpc::CallbackServerContext* context,
                                       const v1::GetPrewarmRequest* request,
                                       v1::Prewarm* response) override;
  grpc::ServerUnaryReactor* ListPrewarms(grpc::CallbackServerContext* context,
                                         const v1::ListPrewarmsRequest* request,
                                         v1::ListPrewarmsResponse* response) override;
  grpc::ServerUnaryReactor* CancelPrewarm(grpc::CallbackServerContext* context,
                                          const v1::CancelPrewarmRequest* request,
                                          v1::Prewarm* response) override;
  grpc::ServerWriteReactor<v1::Prewarm>* WatchPrewarm(
      grpc::CallbackServerContext* context, const v1::GetPrewarmRequest* request) override;
  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest* request,
                                      v1::ListNodesResponse* response) override;
  grpc::ServerUnaryReactor* GetNode(grpc::CallbackServerContext* context,
                                    const v1::GetNodeRequest* request, v1::Node* response) override;
  grpc::ServerUnaryReactor* ListVolumes(grpc::CallbackServerContext* context,
                                        const v1::ListVolumesRequest* request,
                                        v1::ListVolumesResponse* response) override;
  grpc::ServerUnaryReactor* GetVolume(grpc::CallbackServerContext* context,
                                      const v1::GetVolumeRequest* request,
                                      v1::VolumeStatus* response) override;
  grpc::ServerUnaryReactor* ListFiles(grpc::CallbackServerContext* context,
                                      const v1::ListFilesRequest* request,
                                      v1::ListFilesResponse* response) override;

 private:
  // What happens to the work of a call that nobody waits for any more.
  enum class WhenGone : std::uint8_t {
    kStop,
    kGoOn,  // it changes something, and is not left half-way
  };
  struct Admission;

  ApiResult<Admission> Admit(AccessRequest access, std::atomic<std::size_t>& count,
                             std::size_t most) const;
  template <class In, class Out, class Work>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context, Right right,
                                  const In& request, Out* response, Work work,
                                  WhenGone when_gone = WhenGone::kStop);

  boost::asio::any_io_executor control_;
  PrewarmService& service_;
  Authenticator& authenticator_;
  const Clock& clock_;
  const GrpcLimits limits_;
  TaskGroup group_;
  std::atomic<std::size_t> calls_{0};
  std::atomic<std::size_t> watches_{0};
};

}  // namespace prewarm::controller
