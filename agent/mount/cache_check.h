// Asks a mounted client what it would find in its cache, through the control file of the mount.
// This is the only thing that the agent ever writes into a mount.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "agent/mount/check_reply.h"
#include "agent/mount/mounts.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace prewarm::agent {

struct CheckLimits {
  Duration silence = std::chrono::seconds(30);  // a client that works tells how far it is
  Duration whole = std::chrono::minutes(5);
};

// Asks about everything at and below these paths, which are those of the mount, each with its
// leading "/". Symlinks at their ends are followed (the client itself does not do that for a path
// that it is given). A path that does not exist adds nothing to the count and is no error.
//
// Blocking, until the answer, the limit or the stop; never longer, whatever the mount does. A call
// into a hung mount cannot be taken back, its thread stays until the kernel lets it go: do not ask
// a mount again soon that has answered kTimeout.
// kInvalidArgument: this client cannot be asked (too old); kPermission: it does not let us;
// kUnavailable: it went away or began anew meanwhile; kCancelled: the stop.
Result<CacheCount> CheckCache(const MountSettings& mount, const std::vector<std::string>& paths,
                              const std::stop_token& stop, CheckLimits limits = {});

}  // namespace prewarm::agent
