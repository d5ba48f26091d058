#include "agent/commands/volume_session.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "agent/mount/cache_check.h"
#include "agent/tasks/volume_checks.h"
#include "common/async/deadline.h"
#include "common/async/offload.h"

namespace prewarm::agent {
namespace {

constexpr auto kConnectLimit = std::chrono::seconds(10);

std::optional<std::string> EnvironmentVariable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

// A path as a person gives it next to a mount: below the mount point, or from the volume's root.
std::string PathInMount(const std::string& path, const std::string& mount_point) {
  if (path == mount_point) return "";
  if (path.starts_with(mount_point + "/")) return path.substr(mount_point.size() + 1);
  return path;
}

}  // namespace

Task<Result<std::unique_ptr<VolumeSession>>> VolumeSession::Open(const CommandContext& context,
                                                                 VolumeOptions options,
                                                                 CacheUse use) {
  std::unique_ptr<VolumeSession> session(new VolumeSession(context, std::move(options)));
  if (!session->options_.mount.empty()) {
    auto taken = co_await Offload(context.disk_pool, [&] { return session->TakeFromMount(); });
    CO_TRY_STATUS(taken);
  }
  CO_TRY_STATUS(co_await session->ConnectAndRead());
  if (use == CacheUse::kNone) co_return session;
  auto opened = co_await Offload(context.disk_pool, [&] { return session->OpenCache(use); });
  CO_TRY_STATUS(opened);
  session->parts_.emplace(WarmParts{context.clock, *session->cache_, *session->codec_,
                                    context.disk_pool, session->settings_.name,
                                    session->settings_.hash_prefix});
  co_return session;
}

Status VolumeSession::TakeFromMount() {
  TRY(const auto mount, ReadMount(options_.mount));
  if (!mount.disk_cache) {
    return Fail(ErrorCode::kInvalidArgument,
                "the mount at " + mount.mount_point +
                    " keeps its cache in memory: there is nothing on disk to warm");
  }
  options_.cache.dirs = mount.cache_directories;
  options_.cache.size = mount.cache_size;
  options_.cache.free_space_ratio = mount.free_space_ratio;
  options_.cache.mode = mount.cache_mode;
  options_.subdir = mount.subdir;
  options_.storage = mount.format.storage;
  options_.bucket = mount.format.bucket;
  for (auto& path : options_.paths) path = PathInMount(path, mount.mount_point);
  if (options_.meta.empty()) {
    const auto url = MetadataUrlOf(mount);
    if (!url) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the metadata URL of the mount at " + mount.mount_point +
                      " is not visible from here: give it with --meta");
    }
    options_.meta = *url;
  }
  return {};
}

Task<Status> VolumeSession::ConnectAndRead() {
  CO_TRY(auto url, metadata::ParseRedisUrl(options_.meta, EnvironmentVariable));
  redis_ = metadata::MakeRedisClient(std::move(url), context_.clock);
  CO_TRY_STATUS(co_await redis_->Connect(kConnectLimit));
  metadata::VolumeReader reader(*redis_);
  CO_TRY(settings_, co_await reader.Settings());
  if (!options_.storage.empty()) settings_.storage = options_.storage;
  if (!options_.bucket.empty()) settings_.bucket = options_.bucket;
  const Secret passphrase(EnvironmentVariable("JFS_RSA_PASSPHRASE").value_or(""));
  CO_TRY(codec_, juicefs::BlockCodec::Create(settings_, passphrase));
  store_options_ = StoreOptionsFor(settings_, EnvironmentVariable);
  co_return Status();
}

Status VolumeSession::OpenCache(CacheUse use) {
  CacheOptions options;
  options.directories = options_.cache.dirs;
  options.uuid = settings_.uuid;
  options.hash_prefix = settings_.hash_prefix;
  options.file_mode = options_.cache.mode;
  options.cache_size = options_.cache.size;
  options.free_space_ratio = options_.cache.free_space_ratio;
  options.minimum_free_ratio = options_.cache.min_free_ratio;
  options.create = use == CacheUse::kPrepare;
  // A live mount would feel our syncfs on its own writes.
  const auto mounts = LookAtMounts();
  options.batch_sync = std::all_of(mounts.begin(), mounts.end(),
                                   [](const auto& mount) { return mount.mount_point.empty(); });
  TRY(cache_, BlockCache::Open(std::move(options)));
  return {};
}

std::vector<MountVisibility> VolumeSession::LookAtMounts() const {
  return JudgeVisibility(SurveyMounts(), {settings_.uuid, settings_.name, options_.cache.dirs},
                         context_.clock.WallNow());
}

Task<std::vector<MountVisibility>> VolumeSession::AskMounts(std::uint64_t planned_bytes,
                                                            std::stop_token stop) const {
  PlannedData planned{{}, planned_bytes};
  for (const auto& path : options_.paths) planned.paths.push_back(options_.subdir + "/" + path);
  if (planned.paths.empty()) planned.paths.push_back(options_.subdir + "/");
  co_return co_await Offload(context_.disk_pool, [&] { return AskMountsNow(planned, stop); });
}

std::vector<MountVisibility> VolumeSession::AskMountsNow(const PlannedData& planned,
                                                         const std::stop_token& stop) const {
  const auto survey = SurveyMounts();
  auto judged = JudgeVisibility(survey, {settings_.uuid, settings_.name, options_.cache.dirs},
                                context_.clock.WallNow());
  for (auto& visibility : judged) {
    const auto mount =
        std::ranges::find(survey.mounts, visibility.mount_point, &MountSettings::mount_point);
    if (visibility.visibility != Visibility::kNow || mount == survey.mounts.end()) continue;
    const auto question = QuestionFor(*mount, planned);
    const auto count =
        question ? CheckCache(*mount, question->paths, stop) : Result<CacheCount>(question.error());
    const auto now = context_.clock.WallNow();
    const auto answer =
        count ? AnswerOf(*count, question->part, planned, now) : AnswerOf(count.error(), now);
    visibility = Settle(std::move(visibility), answer);
  }
  return judged;
}

Task<Result<metadata::ResolvedPaths>> VolumeSession::Resolve(
    std::function<void(const metadata::ResolveProgress&)> on_progress) {
  metadata::VolumeReader reader(*redis_);
  metadata::ResolveRequest request;
  request.subdir = options_.subdir;
  request.paths = options_.paths;
  request.on_progress = std::move(on_progress);
  co_return co_await reader.Resolve(std::move(request));
}

Result<std::unique_ptr<ObjectStore>> VolumeSession::MakeStore() const {
  return MakeObjectStore(store_options_, context_.disk_pool, context_.clock);
}

Task<Status> VolumeSession::CheckStore() {
  CO_TRY(auto store, MakeStore());
  co_return co_await CheckStoreOwner(*store, settings_, *codec_);
}

}  // namespace prewarm::agent
