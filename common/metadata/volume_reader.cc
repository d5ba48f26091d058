#include "common/metadata/volume_reader.h"

#include <utility>

#include "common/metadata/chunk_reader.h"
#include "common/metadata/path_resolver.h"
#include "common/metadata/redis_client.h"
#include "common/metadata/tree_walk.h"
#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {
namespace {

// A mount with --subdir has that directory as its root.
Task<Result<juicefs::Inode>> FindRoot(RedisClient& redis, VolumeKeys keys, std::string subdir) {
  if (subdir.empty()) co_return juicefs::kRootInode;
  std::vector<std::string> paths{std::move(subdir)};
  auto nodes = co_await ResolvePaths(redis, std::move(keys), juicefs::kRootInode, std::move(paths));
  if (!nodes) co_return std::move(nodes).error().Within("--subdir");
  const Node& root = nodes->front();
  if (root.type != juicefs::FileType::kDirectory) {
    co_return Fail(ErrorCode::kInvalidArgument,
                   "--subdir: /" + Printable(root.path) + " is a file, not a directory");
  }
  co_return root.inode;
}

}  // namespace

VolumeReader::VolumeReader(RedisClient& redis) : redis_(redis) {}

Task<Result<juicefs::VolumeSettings>> VolumeReader::Settings() {
  CO_TRY(const auto text, co_await SettingText());
  co_return juicefs::ParseVolumeSettings(text);
}

Task<Result<std::string>> VolumeReader::SettingText() {
  CO_TRY_STATUS(co_await redis_.Connect(kVolumeCallLimit));
  const VolumeKeys keys(redis_.key_prefix());
  std::vector<RedisCommand> commands{{"GET", keys.Setting()}};
  CO_TRY(const auto replies, co_await Read(redis_, std::move(commands)));
  if (replies.front().is_nil()) {
    co_return Fail(ErrorCode::kNotFound,
                   "no JuiceFS volume in this Redis database (no key \"" + keys.Setting() +
                       "\"): check the database number at the end of the metadata URL, or format "
                       "the volume",
                   Reason::kNotFound);
  }
  co_return replies.front().text;
}

Task<Result<ResolvedPaths>> VolumeReader::Resolve(ResolveRequest request) {
  CO_TRY_STATUS(co_await redis_.Connect(kVolumeCallLimit));
  const VolumeKeys keys(redis_.key_prefix());
  CO_TRY(const juicefs::Inode root, co_await FindRoot(redis_, keys, std::move(request.subdir)));
  if (request.paths.empty()) request.paths.emplace_back("/");
  CO_TRY(auto nodes, co_await ResolvePaths(redis_, keys, root, std::move(request.paths)));
  TreeWalk walk(redis_, keys);
  CO_TRY(auto found, co_await walk.Walk(std::move(nodes)));

  ResolvedPaths resolved{.files = std::move(found.files),
                         .bytes = 0,
                         .skipped_symlinks = found.skipped_symlinks,
                         .skipped_special = found.skipped_special};
  ResolveProgress progress;
  auto report = [&](std::size_t complete) {
    for (; progress.files < complete; ++progress.files) {
      progress.bytes += resolved.files[progress.files].length;
    }
    if (request.on_progress) request.on_progress(progress);
  };
  CO_TRY_STATUS(co_await ReadChunks(redis_, keys, resolved.files, report));
  report(resolved.files.size());
  resolved.bytes = progress.bytes;
  co_return resolved;
}

Task<Result<DirectoryListing>> VolumeReader::List(ListRequest request) {
  CO_TRY_STATUS(co_await redis_.Connect(kVolumeCallLimit));
  const VolumeKeys keys(redis_.key_prefix());
  CO_TRY(const juicefs::Inode root, co_await FindRoot(redis_, keys, std::move(request.subdir)));
  std::vector<std::string> paths{std::move(request.path)};
  auto nodes = co_await ResolvePaths(redis_, keys, root, std::move(paths));
  if (!nodes) {
    if (nodes.error().code == ErrorCode::kNotFound) co_return DirectoryListing{};
    co_return std::move(nodes).error();
  }
  co_return co_await ListNode(redis_, keys, std::move(nodes->front()), request.max_entries);
}

}  // namespace prewarm::metadata
