#include "common/metadata/path_resolver.h"

#include <optional>
#include <utility>

namespace prewarm::metadata {
namespace {

using Kind = PathWalk::Question::Kind;

RedisCommand CommandFor(const PathWalk::Question& question, const VolumeKeys& keys) {
  if (question.kind == Kind::kTarget) return {"GET", keys.Symlink(question.inode)};
  return {"HGET", keys.Directory(question.inode), question.name};
}

}  // namespace

Task<Result<std::vector<Node>>> ResolvePaths(RedisClient& redis, VolumeKeys keys,
                                             juicefs::Inode root, std::vector<std::string> paths) {
  std::vector<PathWalk> walks;
  walks.reserve(paths.size());
  for (std::string& path : paths) walks.emplace_back(std::move(path), root);
  for (;;) {
    std::vector<RedisCommand> commands;
    std::vector<std::size_t> asking;
    for (std::size_t i = 0; i < walks.size(); ++i) {
      CO_TRY(const auto question, walks[i].Next());
      if (!question) continue;
      commands.push_back(CommandFor(*question, keys));
      asking.push_back(i);
    }
    if (commands.empty()) break;
    CO_TRY(const auto replies, co_await Read(redis, std::move(commands)));
    for (std::size_t i = 0; i < asking.size(); ++i) {
      const auto& reply = replies[i];
      CO_TRY_STATUS(walks[asking[i]].Answer(
          reply.is_nil() ? std::nullopt : std::optional<std::string_view>(reply.text)));
    }
  }
  std::vector<Node> nodes;
  nodes.reserve(walks.size());
  for (const PathWalk& walk : walks) nodes.push_back(walk.Destination());
  co_return nodes;
}

}  // namespace prewarm::metadata
