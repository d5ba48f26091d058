// What is visible of files: the slice lists of all their chunks, read in windows, so that memory is
// bounded whatever the number of chunks and a round trip is spent per thousands of them.
#pragma once

#include <functional>
#include <span>

#include "common/async/task.h"
#include "common/juicefs/file_slices.h"
#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {

// Fills the segments of `files`, which stay alive and where they are. Chunks behind the length of a
// file are not asked for. `on_window(n)` after each window: the first n files are complete.
// kCorrupt names path, inode and chunk. `redis` is connected.
Task<Status> ReadChunks(RedisClient& redis, VolumeKeys keys, std::span<juicefs::FileSlices> files,
                        std::function<void(std::size_t)> on_window);

}  // namespace prewarm::metadata
