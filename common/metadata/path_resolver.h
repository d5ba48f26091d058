// Requested paths to inodes: all paths walk side by side, one round trip for each level.
#pragma once

#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/metadata/path_walk.h"
#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {

// One node for each path, in order; errors as PathWalk. `redis` is connected and `keys` are its
// keys.
Task<Result<std::vector<Node>>> ResolvePaths(RedisClient& redis, VolumeKeys keys,
                                             juicefs::Inode root, std::vector<std::string> paths);

}  // namespace prewarm::metadata
