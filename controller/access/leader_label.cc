#include "controller/access/leader_label.h"

#include <utility>
#include <vector>

#include "common/async/deadline.h"
#include "controller/kube/json_access.h"
#include "controller/kube/objects.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

kube::Resource Pods() { return {"", "v1", "pods"}; }

}  // namespace

LeaderLabel::LeaderLabel(const boost::asio::any_io_executor& executor, kube::KubeApi& api,
                         Logger log, Options options)
    : api_(api), log_(std::move(log)), options_(std::move(options)), changed_(executor) {}

void LeaderLabel::SetLeading(bool leads) {
  if (leads == leads_) return;
  leads_ = leads;
  changed_.Notify();
}

Task<void> LeaderLabel::Run() {
  while (!co_await Stopping()) {
    const bool leads = leads_;
    const auto settled = co_await Settle(leads);
    if (co_await Stopping()) co_return;
    Note(settled);
    if (leads != leads_) continue;
    if (!co_await changed_.WaitFor(trouble_.empty() ? options_.look : options_.again)) co_return;
  }
}

// Our own pod first: then there is an address at once, and a leader before us that still has the
// label refuses what comes to it.
Task<Status> LeaderLabel::Settle(bool leads) {
  CO_TRY_STATUS(co_await Label(options_.pod.name, leads));
  if (leads) co_return co_await TakeFromOthers();
  co_return Status();
}

Task<Status> LeaderLabel::Label(std::string pod, bool leads) {
  const kube::ObjectKey key{options_.pod.ns, std::move(pod)};
  json::object labels{{kLeadsLabel, nullptr}};
  if (leads) labels[kLeadsLabel] = "true";
  kube::KubeRequest request{.method = kube::Method::kPatch,
                            .body = json::object{{"metadata", {{"labels", std::move(labels)}}}},
                            .content_type = kube::ContentType::kMergePatch,
                            .deadline = options_.request};
  CO_TRY(request.path, kube::ObjectPath(Pods(), key));
  const auto what = "changing the label " + std::string(kLeadsLabel) + " of pod " + ToString(key);
  auto answer = co_await api_.Send(std::move(request));
  if (!answer) co_return std::move(answer).error().Within(what);
  if (!answer->ok()) co_return kube::ErrorOf(*answer, what);
  co_return Status();
}

Task<Status> LeaderLabel::TakeFromOthers() {
  std::vector<std::string> others;
  kube::ListRequest labelled{Pods(), options_.pod.ns, std::string(kLeadsLabel) + "=true"};
  CO_TRY_STATUS(co_await kube::ListObjects(api_, std::move(labelled), [&](const auto& pod) {
    const auto* metadata = kube::ObjectIn(pod, "metadata");
    if (metadata == nullptr) return;
    if (const auto name = kube::TextIn(*metadata, "name"); name != options_.pod.name) {
      others.emplace_back(name);
    }
  }));
  for (auto& other : others) {
    auto taken = co_await Label(std::move(other), false);
    if (!taken && taken.error().code != ErrorCode::kNotFound) co_return taken;
  }
  co_return Status();
}

// Where it is forbidden, or there is no such pod, nobody looks for the label: that is said once and
// keeps nothing from its work.
void LeaderLabel::Note(const Status& settled) {
  if (settled) {
    if (!logged_.empty()) log_.Info("leader_label_right", {{"pod", options_.pod.name}});
    trouble_.clear();
    logged_.clear();
    return;
  }
  const auto& why = settled.error();
  const bool for_good = why.code == ErrorCode::kPermission || why.code == ErrorCode::kNotFound;
  trouble_ = for_good ? "" : why.message;
  if (why.message == logged_) return;
  log_.Warn("leader_label_wrong", {{"pod", options_.pod.name}, {"why", why}});
  logged_ = why.message;
}

}  // namespace prewarm::controller
