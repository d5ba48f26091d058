#include "controller/reconcile/volumes.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "common/async/deadline.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

constexpr auto kConnectLimit = std::chrono::seconds(5);
constexpr auto kResolveLimit = std::chrono::seconds(60);
constexpr auto kSettingsAge = std::chrono::seconds(30);
constexpr std::size_t kIdleClients = 4;

std::optional<std::string> EnvironmentVariable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::optional<std::string> NoVariable(std::string_view) { return std::nullopt; }

// Out of a Secret. What is wrong with it is not quoted, because any part of it may be a password.
Result<metadata::RedisUrl> SecretUrl(const Secret& text) {
  auto url = metadata::ParseRedisUrl(text.Reveal(), NoVariable);
  if (url) return url;
  return Fail(
      ErrorCode::kInvalidConfig,
      "the metadata URL that its object or Secret gives is not one: write redis://[user:password@]"
      "host[:port]/database, or rediss:// for TLS, with % and / in a password as %25 and %2F");
}

// The metadata URL, from where the configuration says that it is.
Result<std::string> UrlOf(const VolumeConfig& config) {
  if (!config.meta.empty()) return config.meta;
  if (!config.meta_env.empty()) {
    const auto value = EnvironmentVariable(config.meta_env);
    if (value) return *value;
    return Fail(ErrorCode::kInvalidConfig, "the environment has no " + config.meta_env);
  }
  std::ifstream file(config.meta_file);
  std::string line;
  if (!std::getline(file, line) || line.empty()) {
    return Fail(ErrorCode::kInvalidConfig, "no metadata URL can be read from " + config.meta_file);
  }
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

}  // namespace

Result<std::string> SettingForAgents(const std::string& setting, const VolumeConfig& config) {
  json::error_code error;
  auto document = json::parse(setting, error);
  if (error || !document.is_object()) {
    return Fail(ErrorCode::kCorrupt, "the volume's setting is not a JSON object");
  }
  auto& object = document.as_object();
  if (!config.storage.empty()) object["Storage"] = config.storage;
  if (!config.bucket.empty()) object["Bucket"] = config.bucket;
  if (config.credentials != "handed-over") {
    for (const char* secret : {"AccessKey", "SecretKey", "SessionToken"}) object.erase(secret);
  }
  return json::serialize(document);
}

Volume::Volume(std::string name, VolumeConfig config, const Clock& clock)
    : name_(std::move(name)),
      config_(std::move(config)),
      clock_(clock),
      health_(Fail(ErrorCode::kUnavailable, "the metadata was not read yet")) {}

Volume::~Volume() = default;

bool Volume::MayUse(const std::string& name_space) const {
  const auto& allowed = config_.namespaces;
  return allowed.empty() || std::ranges::find(allowed, name_space) != allowed.end();
}

Result<Volume::Client> Volume::Take() {
  ++redis_calls_;
  if (!idle_.empty()) {
    auto client = std::move(idle_.back());
    idle_.pop_back();
    return client;
  }
  TRY(auto url, Url());
  return metadata::MakeRedisClient(std::move(url), clock_);
}

void Volume::GiveBack(Client client) {
  if (health_ && idle_.size() < kIdleClients) idle_.push_back(std::move(client));
}

Result<metadata::RedisUrl> Volume::Url() const {
  if (!config_.unusable.empty()) return Fail(ErrorCode::kInvalidConfig, config_.unusable);
  if (!config_.meta_url.empty()) return SecretUrl(config_.meta_url);
  TRY(const auto text, UrlOf(config_));
  return metadata::ParseRedisUrl(text, EnvironmentVariable);
}

Task<Status> Volume::ReadSettings(metadata::RedisClient& client) {
  CO_TRY_STATUS(co_await client.Connect(kConnectLimit));
  metadata::VolumeReader reader(client);
  CO_TRY(const auto text, co_await reader.SettingText());
  CO_TRY(const auto settings, juicefs::ParseVolumeSettings(text, false));
  if (descriptor_ && descriptor_->uuid != settings.uuid) {
    co_return Fail(ErrorCode::kConflict, "the metadata of volume " + name_ + " is now that of " +
                                             settings.uuid + ", it was " + descriptor_->uuid +
                                             ": restart the controller if this is meant");
  }
  VolumeDescriptor descriptor;
  descriptor.name = name_;
  descriptor.uuid = settings.uuid;
  CO_TRY(descriptor.setting, SettingForAgents(text, config_));
  descriptor.cache_directories = config_.cache_dirs;
  descriptor.download_limit = settings.download_limit;
  const bool encrypted = settings.encrypt_key_withheld || !settings.encrypt_key.empty() ||
                         text.find("\"EncryptKey\"") != std::string::npos;
  descriptor.holds_credentials = config_.credentials == "handed-over" || encrypted;
  if (!config_.rsa_passphrase_env.empty()) {
    descriptor.rsa_passphrase =
        Secret(EnvironmentVariable(config_.rsa_passphrase_env).value_or(""));
  } else {
    descriptor.rsa_passphrase = config_.rsa_passphrase;
  }
  storage_ = config_.storage.empty() ? settings.storage : config_.storage;
  block_size_ = settings.block_size;
  format_name_ = settings.name;
  descriptor_ = std::move(descriptor);
  settings_read_ = clock_.Now();
  co_return Status();
}

Task<Status> Volume::Refresh() {
  if (descriptor_ && clock_.Now() - settings_read_ < kSettingsAge) co_return Status();
  auto client = Take();
  if (!client) {
    health_ = client.error();
    co_return health_;
  }
  health_ = co_await ReadSettings(**client);
  GiveBack(*std::move(client));
  co_return health_;
}

template <class T>
Task<Result<T>> Volume::Ask(Task<Result<T>> call) {
  auto answer = co_await WithDeadline(kResolveLimit, "reading the metadata of volume " + name_,
                                      std::move(call));
  const bool engine_is_fine = answer || answer.error().code == ErrorCode::kNotFound ||
                              answer.error().code == ErrorCode::kInvalidArgument;
  health_ = engine_is_fine ? Status() : Status(answer.error());
  co_return answer;
}

Task<Result<metadata::ResolvedPaths>> Volume::ResolveOver(metadata::RedisClient& client,
                                                          std::vector<std::string> paths) {
  metadata::VolumeReader reader(client);
  co_return co_await Ask(
      reader.Resolve({.subdir = config_.subdir, .paths = std::move(paths), .on_progress = {}}));
}

Task<Result<metadata::ResolvedPaths>> Volume::Resolve(std::vector<std::string> paths) {
  CO_TRY_STATUS(co_await Refresh());
  CO_TRY(auto client, Take());
  auto resolved = co_await ResolveOver(*client, std::move(paths));
  GiveBack(std::move(client));
  co_return resolved;
}

Task<Result<metadata::DirectoryListing>> Volume::List(std::string path) {
  CO_TRY_STATUS(co_await Refresh());
  CO_TRY(auto client, Take());
  metadata::VolumeReader reader(*client);
  auto listing = co_await Ask(reader.List({.subdir = config_.subdir, .path = std::move(path)}));
  GiveBack(std::move(client));
  co_return listing;
}

ResolvedPlan Volume::PlanOf(const metadata::ResolvedPaths& resolved,
                            const std::vector<std::string>& paths) const {
  ResolvedPlan plan;
  for (const auto& path : paths) plan.paths.push_back(config_.subdir + "/" + path);
  if (paths.empty()) plan.paths.push_back(config_.subdir + "/");
  plan.files = resolved.files.size();
  plan.file_bytes = resolved.bytes;
  plan.blocks = juicefs::BlockPlan(resolved.files, block_size_);
  return plan;
}

Task<Result<ResolvedPlan>> Volume::Plan(std::vector<std::string> paths) {
  CO_TRY(const auto resolved, co_await Resolve(paths));
  co_return PlanOf(resolved, paths);
}

Task<Result<ResolvedPlan>> Volume::PlanOver(metadata::RedisClient& client,
                                            std::vector<std::string> paths) {
  CO_TRY_STATUS(co_await Refresh());
  ++redis_calls_;
  CO_TRY(const auto resolved, co_await ResolveOver(client, paths));
  co_return PlanOf(resolved, paths);
}

}  // namespace prewarm::controller
