#include "controller/operator/volume_objects.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "common/async/deadline.h"
#include "controller/jobs/prewarm_object.h"
#include "controller/kube/base64.h"
#include "controller/kube/json_access.h"
#include "controller/kube/objects.h"

namespace prewarm::controller {
namespace {

constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kSecretAge = std::chrono::seconds(60);
constexpr auto kSecretRetry = std::chrono::seconds(10);
constexpr auto kLookEvery = std::chrono::seconds(10);
// Of one object: whatever its metadata does, its status is not written more often.
constexpr auto kBetweenWrites = std::chrono::seconds(5);
constexpr std::size_t kAtOnce = 8;

kube::Resource PrewarmVolumes() { return {kPrewarmGroup, kPrewarmVersion, "prewarmvolumes"}; }

kube::ReflectorRequest AllVolumes() {
  kube::ReflectorRequest request;
  request.resource = PrewarmVolumes();
  return request;
}

std::string ReasonOf(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidConfig:
    case ErrorCode::kInvalidArgument: return "Invalid";
    case ErrorCode::kPermission: return "AccessDenied";
    case ErrorCode::kConflict: return "AnotherVolume";
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt: return "NotAVolume";
    default: return "MetadataUnreachable";
  }
}

// 0 stands for none yet.
std::uint64_t GenerationOf(const VolumeObject& object) {
  return std::max<std::uint64_t>(object.generation, 1);
}

std::string SizeWords(std::uint32_t bytes) {
  constexpr std::uint32_t kKiB = 1024;
  constexpr std::uint32_t kMiB = kKiB * kKiB;
  if (bytes % kMiB == 0) return std::to_string(bytes / kMiB) + " MiB";
  return std::to_string(bytes / kKiB) + " KiB";
}

}  // namespace

VolumeObjects::VolumeObjects(Parts parts)
    : parts_(std::move(parts)),
      objects_(
          parts_.api, parts_.clock, AllVolumes(),
          [this](const boost::json::object& object) -> std::optional<VolumeObject> {
            return ReadVolumeObject(object, parts_.own_namespace);
          },
          {[this](const kube::ObjectKey&) { work_.Notify(); }, [this] { work_.Notify(); }, {}},
          parts_.seed),
      work_(parts_.executor),
      reading_(parts_.executor),
      telling_(parts_.executor) {}

Task<void> VolumeObjects::Watch() {
  reading_.Spawn("watch volumes", objects_.Run());
  while (!co_await Stopping()) {
    if (objects_.synced()) AskForSecrets();
    co_await work_.WaitFor(kTick);
  }
  reading_.Stop();
  co_await reading_.Join();
}

bool VolumeObjects::complete() const {
  return objects_.synced() && std::ranges::all_of(objects_.objects(), [this](const auto& object) {
           const auto opened = opened_.find(object.second.name);
           return opened != opened_.end() && opened->second.generation != 0;
         });
}

void VolumeObjects::AskForSecrets() {
  const auto gone = std::erase_if(opened_, [this](const auto& opened) {
    return !opened.second.asking && objects_.Find({"", opened.first}) == nullptr;
  });
  if (gone > 0) Publish();
  const auto now = parts_.clock.Now();
  for (const auto& [key, object] : objects_.objects()) {
    if (reading_.running() > kAtOnce) return;
    auto& opened = opened_[object.name];
    const Duration age = IsFine(object.name) ? kSecretAge : kSecretRetry;
    const bool due = opened.generation != GenerationOf(object) || now - opened.asked >= age;
    if (opened.asking || !due) continue;
    opened.asking = true;  // before it begins: it may be done at once
    reading_.Spawn("open a volume", Open(object));
  }
}

// A volume that was asked and cannot be read is not: its password may be another one by now.
bool VolumeObjects::IsFine(const std::string& name) const {
  const auto at = parts_.volumes.map().find(name);
  if (at == parts_.volumes.map().end()) return true;
  const auto& volume = *at->second;
  return volume.config().unusable.empty() && (volume.health() || volume.redis_calls() == 0);
}

Task<void> VolumeObjects::Open(VolumeObject object) {
  auto is = co_await Describe(object);
  auto& opened = opened_[object.name];  // not forgotten while it is being asked for
  const bool news = opened.generation != GenerationOf(object);
  opened.asking = false;
  opened.asked = parts_.clock.Now();
  opened.generation = GenerationOf(object);
  if (is.unanswered && !news) co_return;
  const bool same = opened.is.config == is.config && opened.is.reason == is.reason;
  if (same && !news) co_return;
  if (!is.reason.empty()) {
    parts_.log.Warn("volume_unusable", {{"volume", object.name}, {"why", is.config.unusable}});
  }
  opened.is = std::move(is);
  Publish();
}

Task<VolumeObjects::Description> VolumeObjects::Describe(VolumeObject object) {
  Description is;
  if (!object.problem.empty()) {
    is.reason = "Invalid";
    is.config.unusable = object.problem;
    co_return is;
  }
  is.config = object.config;
  const std::array wanted{std::pair{object.meta_secret, &VolumeConfig::meta_url},
                          std::pair{object.passphrase_secret, &VolumeConfig::rsa_passphrase}};
  for (const auto& [ref, into] : wanted) {
    if (!ref || !is.reason.empty()) continue;
    auto text = co_await ReadSecret(*ref);
    if (text) {
      is.config.*into = *std::move(text);
      continue;
    }
    const auto code = text.error().code;
    is.unanswered = code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout ||
                    code == ErrorCode::kCancelled;
    is.reason = code == ErrorCode::kPermission ? "SecretForbidden" : "SecretMissing";
    is.config.unusable = ref->Words() + " cannot be read: " + text.error().message;
  }
  co_return is;
}

Task<Result<Secret>> VolumeObjects::ReadSecret(SecretKeyRef ref) {
  CO_TRY(const auto secret,
         co_await kube::GetObject(parts_.api, {"", "v1", "secrets"}, ref.secret));
  const auto* data = kube::ObjectIn(secret, "data");
  const auto packed = data == nullptr ? std::string_view() : kube::TextIn(*data, ref.key);
  const auto text = kube::DecodeBase64(packed);
  constexpr const char* kSpace = " \t\r\n";
  if (!text || text->find_first_not_of(kSpace) == std::string::npos) {
    co_return Fail(ErrorCode::kNotFound, "the Secret has no such key, or it is empty");
  }
  // As an editor leaves it, with a line feed at its end.
  co_return Secret(text->substr(0, text->find_last_not_of(kSpace) + 1));
}

void VolumeObjects::Publish() {
  VolumeTable::Configs configs;
  for (const auto& [name, opened] : opened_) {
    if (opened.generation != 0) configs[name] = opened.is.config;
  }
  parts_.volumes.SetFromObjects(std::move(configs));
  parts_.changed();
  work_.Notify();
}

Task<void> VolumeObjects::Tell() {
  while (!co_await Stopping()) {
    if (complete()) TellAll();
    co_await work_.WaitFor(kTick);
  }
  telling_.Stop();
  co_await telling_.Join();
}

void VolumeObjects::TellAll() {
  const auto now = parts_.clock.Now();
  std::erase_if(told_, [this](const auto& told) {
    return !told.second.busy && objects_.Find({"", told.first}) == nullptr;
  });
  const auto& volumes = parts_.volumes.map();
  for (const auto& [key, object] : objects_.objects()) {
    if (telling_.running() >= kAtOnce) return;
    auto& told = told_[object.name];
    if (told.busy) continue;
    const auto volume = volumes.find(object.name);
    const bool opened_anew = volume != volumes.end() && told.looked_at.lock() != volume->second;
    if (opened_anew || (volume != volumes.end() && now - told.looked >= kLookEvery)) {
      told.busy = true;  // before it begins: it may be done at once
      telling_.Spawn("look at a volume", Look(object.name, volume->second));
      continue;
    }
    auto status = StatusOf(object);
    if (!status || status->Says(object.status)) continue;
    if (told.written != SteadyTime{} && now - told.written < kBetweenWrites) continue;
    told.busy = true;
    telling_.Spawn("tell of a volume", Write(object, *std::move(status)));
  }
}

Task<void> VolumeObjects::Look(std::string name, std::shared_ptr<Volume> volume) {
  static_cast<void>(co_await volume->Refresh());  // health() tells
  auto& told = told_[name];
  told.busy = false;
  told.looked = parts_.clock.Now();
  told.looked_at = volume;
  work_.Notify();
}

std::optional<VolumeStatus> VolumeObjects::StatusOf(const VolumeObject& object) const {
  VolumeStatus status = object.status;  // what was read last stays, also while it cannot be read
  status.observed_generation = object.generation;
  const auto opened = opened_.find(object.name);
  const auto at = parts_.volumes.map().find(object.name);
  if (opened == opened_.end() || at == parts_.volumes.map().end()) return std::nullopt;
  const auto& volume = *at->second;
  kube::Condition ready;
  if (parts_.volumes.IsConfigured(object.name)) {
    ready = kube::MakeCondition(kReady, false, "DefinedInFile",
                                "the controller's configuration has a volume of this name, which "
                                "holds: take it out there, or delete this object");
  } else if (!opened->second.is.reason.empty()) {
    ready = kube::MakeCondition(kReady, false, opened->second.is.reason,
                                opened->second.is.config.unusable);
  } else if (volume.redis_calls() == 0) {
    return std::nullopt;
  } else if (!volume.health()) {
    const auto& error = volume.health().error();
    ready = kube::MakeCondition(kReady, false, ReasonOf(error), error.message);
  } else {
    status.uuid = volume.descriptor()->uuid;
    status.format_name = volume.format_name();
    status.block_size = volume.block_size();
    ready = kube::MakeCondition(
        kReady, true, "MetadataRead",
        "volume " + status.format_name + ", blocks of " + SizeWords(status.block_size));
  }
  status.conditions = {std::move(ready)};
  kube::Follow(object.status.conditions, status.conditions, object.generation,
               parts_.clock.WallNow());
  return status;
}

Task<void> VolumeObjects::Write(VolumeObject object, VolumeStatus status) {
  // Only onto what was looked at: the version refuses a leader that does not know yet that it is
  // none any more.
  boost::json::object patch{
      {"metadata", boost::json::object{{"resourceVersion", object.resource_version}}},
      {"status", VolumeStatusObject(status)}};
  const auto written = co_await kube::PatchObject(parts_.api, PrewarmVolumes(), {"", object.name},
                                                  std::move(patch), "status");
  auto& told = told_[object.name];
  told.busy = false;
  const bool changed_since = !written && (written.error().code == ErrorCode::kConflict ||
                                          written.error().code == ErrorCode::kNotFound);
  if (changed_since) co_return;  // what it is now comes by the watch
  told.written = parts_.clock.Now();
  if (written) {
    parts_.log.Info("volume_told", {{"volume", object.name},
                                    {"ready", status.conditions.front().status},
                                    {"reason", status.conditions.front().reason}});
  } else {
    parts_.log.Warn("volume_not_told", {{"volume", object.name}, {"why", written.error()}});
  }
}

}  // namespace prewarm::controller
