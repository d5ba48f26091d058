// `prewarm-agent serve`: builds everything the daemon consists of, runs it until a signal, and
// drains it.
#pragma once

#include "agent/commands/options.h"

namespace prewarm::agent {

// The exit code: 0 after an orderly stop, 2 if the configuration cannot be served.
int RunDaemon(ServeOptions options);

}  // namespace prewarm::agent
