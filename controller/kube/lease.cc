#include "controller/kube/lease.h"

#include <algorithm>
#include <utility>

#include "controller/kube/json_access.h"
#include "controller/kube/micro_time.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;

Resource LeaseResource() { return {"coordination.k8s.io", "v1", "leases"}; }

std::string_view HolderOf(const json::object& lease) {
  const auto* spec = ObjectIn(lease, "spec");
  return spec == nullptr ? std::string_view() : TextIn(*spec, "holderIdentity");
}

std::uint64_t EpochOf(const json::object& lease) {
  const auto* spec = ObjectIn(lease, "spec");
  const auto* transitions = spec == nullptr ? nullptr : spec->if_contains("leaseTransitions");
  if (transitions == nullptr) return 0;
  boost::system::error_code not_a_number;
  const auto number = transitions->to_number<std::uint64_t>(not_a_number);
  return not_a_number ? 0 : number;
}

std::string VersionOf(const json::object& lease) {
  const auto* metadata = ObjectIn(lease, "metadata");
  return metadata == nullptr ? std::string() : std::string(TextIn(*metadata, "resourceVersion"));
}

json::object& SpecOf(json::object& lease) {
  auto& spec = lease["spec"];
  if (!spec.is_object()) spec = json::object();
  return spec.get_object();
}

}  // namespace

KubeLease::KubeLease(KubeApi& api, const Clock& clock, Options options)
    : api_(api), clock_(clock), options_(std::move(options)) {}

Task<Result<json::object>> KubeLease::Write(json::object lease, bool create) {
  KubeRequest request{.method = create ? Method::kPost : Method::kPut,
                      .deadline = options_.request};
  if (create) {
    CO_TRY(request.path, CollectionPath(LeaseResource(), options_.key.ns));
  } else {
    CO_TRY(request.path, ObjectPath(LeaseResource(), options_.key));
  }
  request.body = std::move(lease);
  const auto what = "writing the lease " + ToString(options_.key);
  auto answer = co_await api_.Send(std::move(request));
  if (!answer) co_return std::move(answer).error().Within(what);
  if (!answer->ok()) co_return ErrorOf(*answer, what);
  auto* written = answer->body.if_object();
  if (written == nullptr) {
    co_return Fail(ErrorCode::kCorrupt, what + ": the answer is not an object");
  }
  co_return std::move(*written);
}

Task<Result<KubeLease::Found>> KubeLease::Read() {
  KubeRequest request{.deadline = options_.request};
  CO_TRY(request.path, ObjectPath(LeaseResource(), options_.key));
  const auto what = "reading the lease " + ToString(options_.key);
  auto answer = co_await api_.Send(std::move(request));
  if (!answer) co_return std::move(answer).error().Within(what);
  if (answer->status == 404) co_return Found();
  if (!answer->ok()) co_return ErrorOf(*answer, what);
  auto* lease = answer->body.if_object();
  if (lease == nullptr) {
    co_return Fail(ErrorCode::kCorrupt, what + ": the answer is not an object");
  }
  co_return Found{std::move(*lease)};
}

Task<Result<std::optional<std::uint64_t>>> KubeLease::TryAcquire(std::uint64_t floor) {
  held_.reset();
  CO_TRY(auto found, co_await Read());
  seen_holder_ = found.lease ? std::string(HolderOf(*found.lease)) : std::string();
  if (found.lease && !MayTake(*found.lease)) co_return std::nullopt;
  co_return co_await Take(std::move(found), floor);
}

// Its holder gave it up, or is this process (which did not hear that it got it), or has not written
// it for as long as we watch it.
bool KubeLease::MayTake(const json::object& lease) {
  const auto holder = HolderOf(lease);
  if (holder.empty() || holder == options_.holder) return true;
  const auto version = VersionOf(lease);
  if (!sighting_ || sighting_->resource_version != version) {
    sighting_ = Sighting{version, clock_.Now()};
  }
  return clock_.Now() - sighting_->since >= options_.patience;
}

Task<Result<std::optional<std::uint64_t>>> KubeLease::Take(Found before, std::uint64_t floor) {
  const bool exists = before.lease.has_value();
  json::object lease;
  if (exists) {
    lease = *std::move(before.lease);
  } else {
    lease = {{"apiVersion", "coordination.k8s.io/v1"},
             {"kind", "Lease"},
             {"metadata", {{"name", options_.key.name}, {"namespace", options_.key.ns}}}};
  }
  const auto epoch = std::max(EpochOf(lease), floor) + 1;
  const auto now = FormatMicroTime(clock_.WallNow());
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options_.patience).count();
  auto& spec = SpecOf(lease);
  spec["holderIdentity"] = options_.holder;
  spec["leaseDurationSeconds"] = seconds;
  spec["acquireTime"] = now;
  spec["renewTime"] = now;
  spec["leaseTransitions"] = epoch;
  auto written = co_await Write(std::move(lease), !exists);
  // Another one was faster.
  if (!written && written.error().code == ErrorCode::kConflict) co_return std::nullopt;
  if (!written) co_return std::move(written).error();
  sighting_.reset();
  seen_holder_ = options_.holder;
  held_ = *std::move(written);
  co_return epoch;
}

Task<Status> KubeLease::Renew() {
  for (bool again = false;; again = true) {
    if (!held_) co_return Fail(ErrorCode::kConflict, "the lease is not held");
    auto lease = *held_;
    SpecOf(lease)["renewTime"] = FormatMicroTime(clock_.WallNow());
    auto written = co_await Write(std::move(lease), false);
    if (written) {
      held_ = *std::move(written);
      co_return Status();
    }
    const auto code = written.error().code;
    if (code == ErrorCode::kNotFound) {
      held_.reset();
      co_return Fail(ErrorCode::kConflict, written.error().message);
    }
    if (code != ErrorCode::kConflict || again) co_return std::move(written).error();
    // A renewal of ours that went unanswered changes the version as well. What it did counts from
    // then, so that this renewal has still to be made.
    CO_TRY_STATUS(co_await LookWhoHolds());
  }
}

Task<Status> KubeLease::LookWhoHolds() {
  CO_TRY(auto found, co_await Read());
  const bool ours = found.lease && HolderOf(*found.lease) == options_.holder &&
                    EpochOf(*found.lease) == EpochOf(*held_);
  if (ours) {
    held_ = *std::move(found.lease);
    co_return Status();
  }
  held_.reset();
  seen_holder_ = found.lease ? std::string(HolderOf(*found.lease)) : std::string();
  co_return Fail(ErrorCode::kConflict,
                 "the lease " + ToString(options_.key) + " was taken by \"" + seen_holder_ + "\"");
}

Task<Status> KubeLease::Release() {
  if (!held_) co_return Status();
  auto lease = *std::exchange(held_, std::nullopt);
  SpecOf(lease)["holderIdentity"] = "";
  CO_TRY_STATUS(co_await Write(std::move(lease), false));
  seen_holder_.clear();
  co_return Status();
}

}  // namespace prewarm::controller::kube
