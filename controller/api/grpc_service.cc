#include "controller/api/grpc_service.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "controller/api/call_end.h"
#include "controller/api/grpc_policy.h"
#include "controller/api/grpc_status.h"
#include "controller/api/watch_reactor.h"
#include "controller/api/wire.h"

namespace prewarm::controller {
namespace {

namespace asio = boost::asio;

// One of a limited number of places, held by a call until its work has ended.
class Place {
 public:
  explicit Place(std::atomic<std::size_t>& count) : count_(&count) {}
  Place(Place&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (count_ != nullptr) count_->fetch_sub(1);
  }

  static std::optional<Place> Take(std::atomic<std::size_t>& count, std::size_t most) {
    if (count.fetch_add(1) < most) return Place(count);
    count.fetch_sub(1);
    return std::nullopt;
  }

 private:
  std::atomic<std::size_t>* count_;
};

Problem TooManyCalls() {
  return {ProblemKind::kTooMany,
          "too-many-requests",
          "The controller answers as many calls as it can; try again after the delay.",
          {},
          std::chrono::seconds(1)};
}

Problem ServiceStops() {
  return {ProblemKind::kUnavailable,
          "stopping",
          "The controller is stopping; try again.",
          {},
          std::chrono::seconds(1)};
}

// Given twice, a header counts as not given: there is no telling which one a proxy has checked.
std::optional<std::string> OnlyHeader(const grpc::CallbackServerContext& context,
                                      const char* name) {
  const auto [first, last] = context.client_metadata().equal_range(name);
  if (first == last || std::next(first) != last) return std::nullopt;
  return std::string(first->second.data(), first->second.size());
}

// The thing that a request is about, where it names one.
template <class In>
std::string ObjectOf(const In& request) {
  if constexpr (requires { request.id(); }) {
    return request.id();
  } else if constexpr (requires { request.name(); }) {
    return request.name();
  } else if constexpr (requires { request.volume(); }) {
    return request.volume();
  } else {
    return {};
  }
}

template <class In>
AccessRequest AccessOf(const grpc::CallbackServerContext& context, Right right, const In& request) {
  const bool single = right.action != Action::kList && right.action != Action::kCreate;
  return {OnlyHeader(context, "authorization"), right,
          OnlyHeader(context, kNamespaceKey).value_or(""), single ? ObjectOf(request) : ""};
}

Duration TimeFor(const grpc::CallbackServerContext& context, const Clock& clock, Duration most) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return most;
  return std::clamp(Duration(deadline - clock.WallNow()), Duration::zero(), most);
}

template <class Reactor>
void FinishWith(grpc::CallbackServerContext& context, Reactor& reactor, const Problem& problem) {
  for (const auto& [key, value] : TrailersOf(problem)) context.AddTrailingMetadata(key, value);
  reactor.Finish(ToStatus(problem));
}

// Deletes itself when gRPC is done with the call. Finish is called once, by the call's task, so
// that until then the task may use all that gRPC has lent.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryReactor(std::shared_ptr<CallEnd> end) : end_(std::move(end)) {}
  void OnCancel() override { end_->CallerIsGone(); }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<CallEnd> end_;
};

grpc::ServerUnaryReactor* RefuseCall(grpc::CallbackServerContext& context, const Problem& problem) {
  auto* reactor = context.DefaultReactor();
  FinishWith(context, *reactor, problem);
  return reactor;
}

// Where an answer goes; gRPC's, until Finish.
template <class Out>
struct Reply {
  grpc::CallbackServerContext* context;
  UnaryReactor* reactor;
  Out* response;
};

// Of a call whose work was given up.
template <class Reactor>
void FinishUnanswered(grpc::CallbackServerContext& context, Reactor& reactor, bool gone,
                      bool stopping) {
  if (gone) return reactor.Finish({grpc::StatusCode::CANCELLED, "the caller is gone"});
  if (stopping) return FinishWith(context, reactor, ServiceStops());
  reactor.Finish({grpc::StatusCode::DEADLINE_EXCEEDED, "the call took too long"});
}

template <class View, class Out>
Task<void> Answer(Task<ApiResult<View>> work, std::shared_ptr<CallEnd> end, bool go_on, Place,
                  Reply<Out> reply) {
  std::optional<ApiResult<View>> result;
  if (go_on) {
    result = co_await std::move(work);
  } else {
    result = co_await end->Before(std::move(work));
  }
  if (!result) {
    FinishUnanswered(*reply.context, *reply.reactor, end->gone(), co_await Stopping());
  } else if (!*result) {
    FinishWith(*reply.context, *reply.reactor, result->error());
  } else {
    ToWire(**result, *reply.response);
    reply.reactor->Finish(grpc::Status::OK);
  }
}

// Who calls, where that was not clear at once.
Task<ApiResult<Caller>> Identify(Authenticator& authenticator, std::optional<Caller> caller,
                                 AccessRequest access) {
  if (caller) co_return *std::move(caller);
  co_return co_await authenticator.Ask(std::move(access));
}

// What the work of a call becomes. Nothing is said about a request to somebody who may not make it.
template <class Arguments, class Work>
auto WhenIdentified(Task<ApiResult<Caller>> identify, PrewarmService& service,
                    ApiResult<Arguments> arguments, Work work)
    -> decltype(work(service, Caller(), *std::move(arguments))) {
  auto caller = co_await std::move(identify);
  if (!caller) co_return Refuse(std::move(caller).error());
  if (!arguments) co_return Refuse(std::move(arguments).error());
  co_return co_await work(service, *std::move(caller), *std::move(arguments));
}

// What a watch is about, and for whom.
struct WatchOrder {
  Caller caller;
  AccessRequest access;
  std::string id;
};

// One look of a watch. A token that expires, or is taken back, ends what was begun with it; that
// nobody can say so at the moment does not.
Task<ApiResult<PrewarmService::Change>> NextChange(PrewarmService& service,
                                                   Authenticator& authenticator, WatchOrder order,
                                                   std::uint64_t seen) {
  constexpr auto kLookAgain = std::chrono::seconds(15);
  auto change = co_await service.Watch(order.caller, order.id, seen, kLookAgain);
  if (seen == 0 || co_await Stopping()) co_return change;
  if (auto still = co_await authenticator.Find(std::move(order.access));
      !still && still.error().kind != ProblemKind::kUnavailable) {
    co_return Refuse(std::move(still).error());
  }
  co_return change;
}

// Sends every change until the final one.
Task<void> Watch(PrewarmService& service, Authenticator& authenticator, WatchOrder order,
                 GrpcLimits limits, WatchReactor* reactor) {
  const auto end = reactor->end();
  std::uint64_t seen = 0;
  bool first = true;
  while (true) {
    auto change = co_await end->Before(NextChange(service, authenticator, order, seen));
    const bool stopping = co_await Stopping();
    if (!change) {
      co_return FinishUnanswered(*reactor->context(), *reactor, end->gone(), stopping);
    }
    if (!*change) co_return FinishWith(*reactor->context(), *reactor, change->error());
    const auto& [view, version] = **change;
    if (!first && version == seen) continue;
    first = false;
    seen = version;
    v1::Prewarm message;
    ToWire(view, message);
    if (!co_await reactor->Write(std::move(message), limits.write)) {
      co_return FinishUnanswered(*reactor->context(), *reactor, true, false);
    }
    if (IsFinal(view.prewarm.state)) co_return reactor->Finish(grpc::Status::OK);
    co_await end->Pause(limits.between_updates);
  }
}

// As Watch, once it is known who calls.
Task<void> BeginWatch(PrewarmService& service, Authenticator& authenticator,
                      std::optional<Caller> known, AccessRequest access, ApiResult<std::string> id,
                      GrpcLimits limits, Place, WatchReactor* reactor) {
  auto& context = *reactor->context();
  auto caller = co_await reactor->end()->Before(Identify(authenticator, std::move(known), access));
  if (!caller) {
    co_return FinishUnanswered(context, *reactor, reactor->end()->gone(), co_await Stopping());
  }
  if (!*caller) co_return FinishWith(context, *reactor, caller->error());
  if (!id) co_return FinishWith(context, *reactor, id.error());
  WatchOrder order{**std::move(caller), std::move(access), *std::move(id)};
  co_await Watch(service, authenticator, std::move(order), limits, reactor);
}

}  // namespace

struct GrpcService::Admission {
  std::optional<Caller> caller;  // nothing: to be asked about
  AccessRequest access;
  Place place;
};

GrpcService::GrpcService(const Parts& parts, const GrpcLimits& limits)
    : control_(parts.control),
      service_(parts.service),
      authenticator_(parts.authenticator),
      clock_(parts.clock),
      limits_(limits),
      group_(parts.control) {}

// Strangers take no place, and learn nothing about how busy the controller is. Those who have to be
// asked about take theirs before, for as long as that takes.
ApiResult<GrpcService::Admission> GrpcService::Admit(AccessRequest access,
                                                     std::atomic<std::size_t>& count,
                                                     std::size_t most) const {
  auto known = authenticator_.Check(access);
  if (known && !*known) return Refuse(std::move(*known).error());
  auto place = Place::Take(count, most);
  if (!place) return Refuse(TooManyCalls());
  Admission admission{{}, std::move(access), *std::move(place)};
  if (known) admission.caller = **std::move(known);
  return admission;
}

template <class In, class Out, class Work>
grpc::ServerUnaryReactor* GrpcService::Serve(grpc::CallbackServerContext* context, Right right,
                                             const In& request, Out* response, Work work,
                                             WhenGone when_gone) {
  auto admission = Admit(AccessOf(*context, right, request), calls_, limits_.calls);
  if (!admission) return RefuseCall(*context, admission.error());
  const auto end = std::make_shared<CallEnd>(control_, TimeFor(*context, clock_, limits_.call));
  auto* reactor = new UnaryReactor(end);
  asio::post(control_, [this, end, work, when_gone, admission = *std::move(admission),
                        arguments = FromWire(request),
                        reply = Reply<Out>{context, reactor, response}]() mutable {
    auto identify =
        Identify(authenticator_, std::move(admission.caller), std::move(admission.access));
    auto task = Answer(WhenIdentified(std::move(identify), service_, std::move(arguments), work),
                       end, when_gone == WhenGone::kGoOn, std::move(admission.place), reply);
    if (!group_.Spawn("gRPC call", std::move(task))) {
      FinishWith(*reply.context, *reply.reactor, ServiceStops());
    }
  });
  return reactor;
}

grpc::ServerUnaryReactor* GrpcService::CreatePrewarm(grpc::CallbackServerContext* context,
                                                     const v1::CreatePrewarmRequest* request,
                                                     v1::Prewarm* response) {
  return Serve(
      context, RightOf("CreatePrewarm"), *request, response,
      [](PrewarmService& service, Caller caller, CreateRequest create) {
        return service.Create(std::move(caller), std::move(create));
      },
      WhenGone::kGoOn);
}

grpc::ServerUnaryReactor* GrpcService::PlanPrewarm(grpc::CallbackServerContext* context,
                                                   const v1::CreatePrewarmRequest* request,
                                                   v1::PrewarmPlan* response) {
  return Serve(context, RightOf("PlanPrewarm"), *request, response,
               [](PrewarmService& service, Caller caller, CreateRequest create) {
                 return service.Plan(std::move(caller), std::move(create));
               });
}

grpc::ServerUnaryReactor* GrpcService::GetPrewarm(grpc::CallbackServerContext* context,
                                                  const v1::GetPrewarmRequest* request,
                                                  v1::Prewarm* response) {
  return Serve(context, RightOf("GetPrewarm"), *request, response,
               [](PrewarmService& service, Caller caller, std::string id) {
                 return service.Get(std::move(caller), std::move(id));
               });
}

grpc::ServerUnaryReactor* GrpcService::ListPrewarms(grpc::CallbackServerContext* context,
                                                    const v1::ListPrewarmsRequest* request,
                                                    v1::ListPrewarmsResponse* response) {
  return Serve(context, RightOf("ListPrewarms"), *request, response,
               [](PrewarmService& service, Caller caller,
                  ListRequest list) -> Task<ApiResult<Page<PrewarmView>>> {
                 co_return service.List(caller, list.filter, list.page);
               });
}

grpc::ServerUnaryReactor* GrpcService::CancelPrewarm(grpc::CallbackServerContext* context,
                                                     const v1::CancelPrewarmRequest* request,
                                                     v1::Prewarm* response) {
  return Serve(
      context, RightOf("CancelPrewarm"), *request, response,
      [](PrewarmService& service, Caller caller, std::string id) {
        return service.Cancel(std::move(caller), std::move(id));
      },
      WhenGone::kGoOn);
}

grpc::ServerWriteReactor<v1::Prewarm>* GrpcService::WatchPrewarm(
    grpc::CallbackServerContext* context, const v1::GetPrewarmRequest* request) {
  // A watch lasts as long as its prewarm, unless its caller says otherwise.
  const auto end =
      std::make_shared<CallEnd>(control_, TimeFor(*context, clock_, std::chrono::hours(24 * 365)));
  auto* reactor = new WatchReactor(control_, *context, end);
  auto admission =
      Admit(AccessOf(*context, RightOf("WatchPrewarm"), *request), watches_, limits_.watches);
  if (!admission) {
    FinishWith(*context, *reactor, admission.error());
    return reactor;
  }
  asio::post(control_, [this, context, reactor, admission = *std::move(admission),
                        id = FromWire(*request)]() mutable {
    auto task = BeginWatch(service_, authenticator_, std::move(admission.caller),
                           std::move(admission.access), std::move(id), limits_,
                           std::move(admission.place), reactor);
    if (!group_.Spawn("gRPC watch", std::move(task))) {
      FinishWith(*context, *reactor, ServiceStops());
    }
  });
  return reactor;
}

grpc::ServerUnaryReactor* GrpcService::ListNodes(grpc::CallbackServerContext* context,
                                                 const v1::ListNodesRequest* request,
                                                 v1::ListNodesResponse* response) {
  return Serve(context, RightOf("ListNodes"), *request, response,
               [](PrewarmService& service, Caller caller, PageRequest page)
                   -> Task<ApiResult<Page<NodeView>>> { co_return service.Nodes(caller, page); });
}

grpc::ServerUnaryReactor* GrpcService::GetNode(grpc::CallbackServerContext* context,
                                               const v1::GetNodeRequest* request,
                                               v1::Node* response) {
  return Serve(
      context, RightOf("GetNode"), *request, response,
      [](PrewarmService& service, Caller caller, std::string name) -> Task<ApiResult<NodeView>> {
        co_return service.NodeNamed(caller, name);
      });
}

grpc::ServerUnaryReactor* GrpcService::ListVolumes(grpc::CallbackServerContext* context,
                                                   const v1::ListVolumesRequest* request,
                                                   v1::ListVolumesResponse* response) {
  return Serve(context, RightOf("ListVolumes"), *request, response,
               [](PrewarmService& service, Caller caller,
                  PageRequest page) -> Task<ApiResult<Page<VolumeView>>> {
                 co_return service.Volumes(caller, page);
               });
}

grpc::ServerUnaryReactor* GrpcService::GetVolume(grpc::CallbackServerContext* context,
                                                 const v1::GetVolumeRequest* request,
                                                 v1::VolumeStatus* response) {
  return Serve(
      context, RightOf("GetVolume"), *request, response,
      [](PrewarmService& service, Caller caller, std::string name) -> Task<ApiResult<VolumeView>> {
        co_return service.VolumeNamed(caller, name);
      });
}

grpc::ServerUnaryReactor* GrpcService::ListFiles(grpc::CallbackServerContext* context,
                                                 const v1::ListFilesRequest* request,
                                                 v1::ListFilesResponse* response) {
  return Serve(context, RightOf("ListFiles"), *request, response,
               [](PrewarmService& service, Caller caller, FilesRequest files) {
                 return service.Files(std::move(caller), std::move(files.volume),
                                      std::move(files.path), std::move(files.page));
               });
}

}  // namespace prewarm::controller
