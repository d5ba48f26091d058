// The calls of the API on what this process knows: accepts, plans, cancels and shows prewarms.
// Lives on the control executor.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/api/prewarm_service.h"
#include "controller/reconcile/bento_resolver.h"
#include "controller/reconcile/reconciler.h"

namespace prewarm::controller {

class ControllerService final : public PrewarmService {
 public:
  struct Parts {
    boost::asio::any_io_executor executor;
    const Clock& clock;
    Logger& log;
    JobTable& jobs;
    AgentRegistry& agents;
    VolumeMap& volumes;
    Reconciler& reconciler;
    std::size_t max_prewarms;
  };
  explicit ControllerService(Parts parts);

  // Before this, and after losing the lead, every call is refused as kUnavailable.
  void SetLeading(bool leading);
  // Who leads instead, for the words of such refusals; empty: not known.
  void SetLeader(std::string leader) { leader_ = std::move(leader); }
  // Where there is a cluster; outlives the calls.
  void SetBentos(BentoResolver* bentos) { bentos_ = bentos; }

  Task<ApiResult<CreateAnswer>> Create(Caller caller, CreateRequest request) override;
  Task<ApiResult<PlanView>> Plan(Caller caller, CreateRequest request) override;
  Task<ApiResult<PrewarmView>> Get(Caller caller, std::string id) override;
  ApiResult<Page<PrewarmView>> List(const Caller& caller, const PrewarmFilter& filter,
                                    const PageRequest& page) override;
  Task<ApiResult<PrewarmView>> Cancel(Caller caller, std::string id) override;
  Task<ApiResult<Change>> Watch(Caller caller, std::string id, std::uint64_t seen,
                                Duration limit) override;
  ApiResult<Page<NodeView>> Nodes(const Caller& caller, const PageRequest& page) override;
  ApiResult<NodeView> NodeNamed(const Caller& caller, const std::string& name) override;
  ApiResult<Page<VolumeView>> Volumes(const Caller& caller, const PageRequest& page) override;
  ApiResult<VolumeView> VolumeNamed(const Caller& caller, const std::string& name) override;
  Task<ApiResult<FilesView>> Files(Caller caller, std::string volume, std::string path,
                                   PageRequest page) override;

  // When a prewarm, accepted or not, that has not ended would be done, with all that is queued.
  [[nodiscard]] Forecast ForecastFor(const Prewarm& prewarm) const;

 private:
  // A prewarm that was worked out but not accepted yet.
  struct Draft;

  [[nodiscard]] ApiResult<void> Ready() const;
  [[nodiscard]] ApiResult<std::shared_ptr<Volume>> UsableVolume(const Caller& caller,
                                                                const std::string& name,
                                                                const std::string& field) const;
  // nullptr: the table has none of this id that the caller may see.
  [[nodiscard]] Job* JobOf(const Caller& caller, const std::string& id) const;
  // One that has ended and that the table has forgotten since, or kNotFound.
  Task<ApiResult<PrewarmView>> Forgotten(const Caller& caller, const std::string& id);
  // The prewarm that the idempotency key stands for, if there is one.
  Task<ApiResult<std::optional<PrewarmView>>> SameRequest(const Caller& caller,
                                                          const CreateRequest& request);
  Task<ApiResult<CreateAnswer>> Accept(const Caller& caller, Draft draft);
  // The spec of a request, with what its Bento stands for.
  Task<ApiResult<PrewarmSpec>> Complete(const Caller& caller, const CreateRequest& request);
  Task<ApiResult<Draft>> WorkOut(const Caller& caller, const CreateRequest& request);
  ApiResult<void> ChooseNodes(Draft& draft, const std::string& uuid) const;
  [[nodiscard]] bool AgentsMayStillCome() const;
  [[nodiscard]] std::vector<Job*> Superseded(const Prewarm& by) const;

  PrewarmView ViewOf(const Prewarm& prewarm);
  NodeView ViewOf(const Node& node);
  VolumeView ViewOf(const Volume& volume);
  [[nodiscard]] std::optional<WallTime> InSeconds(std::optional<double> seconds) const;

  // Idempotency keys whose prewarm is being accepted; a second request with one waits for the
  // first.
  class KeyInUse;

  Parts parts_;
  BentoResolver* bentos_ = nullptr;
  bool leading_ = false;
  std::string leader_;  // another one
  SteadyTime leading_since_{};
  std::set<std::pair<std::string, std::string>> keys_in_use_;
  Signal key_released_;
};

}  // namespace prewarm::controller
