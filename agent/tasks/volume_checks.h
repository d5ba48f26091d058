// What is asked before the first block of a plan is fetched: is there room for it, and is the store
// the volume's. For a run that would fail half-way, the answer in words comes at once.
#pragma once

#include <span>
#include <string>

#include "agent/cache/block_cache.h"
#include "agent/store/object_store.h"
#include "agent/warm/presence.h"
#include "common/async/task.h"
#include "common/juicefs/block_codec.h"
#include "common/juicefs/volume_settings.h"

namespace prewarm::agent {

// kNoSpace (no_space, no_inodes) names the directory and what is short by how much. `directories`
// are those of BlockCache::Usage.
Status CheckRoom(std::span<const DirectoryUsage> directories, const PlannedWork& work);

// Reads <volume>/juicefs_uuid: the bucket must exist, let us in and belong to this volume.
// kConflict: it belongs to another one. A store without that object passes.
Task<Status> CheckStoreOwner(ObjectStore& store, const juicefs::VolumeSettings& settings,
                             const juicefs::BlockCodec& codec);

}  // namespace prewarm::agent
