// What a cache directory holds, by its names alone: one walk, no file is touched.
#pragma once

#include "agent/cache/space_budget.h"
#include "common/base/result.h"

namespace prewarm::agent {

// `volume` is an open <dir>/<UUID>. Names that are no blocks are left out; what vanishes meanwhile
// too.
Result<CachedBlocks> CountCachedBlocks(int volume);

}  // namespace prewarm::agent
