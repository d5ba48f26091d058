// Where the controller is and who we are: from a small file, the environment and options, the later
// over the earlier.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/process/config_schema.h"

namespace prewarm::ctl {

struct CtlConfig {
  std::string server = "127.0.0.1:9480";
  std::string name_space;  // of the prewarms; empty: that of the token
  std::string token_file;  // read anew for every call, because tokens are rotated
  std::string ca;          // PEM file; empty: the system's authorities
  bool insecure = false;   // no TLS; to the same machine only
  Secret token;            // only from the environment; goes before token_file
};

// The keys, bound to `config`, which must outlive the schema.
ConfigSchema CtlConfigSchema(CtlConfig& config);

using Environment = std::function<std::optional<std::string>(std::string_view name)>;
Environment ProcessEnvironment();

// $XDG_CONFIG_HOME/prewarm/ctl.yaml or ~/.config/prewarm/ctl.yaml; empty without a home.
std::string DefaultConfigFile(const Environment& environment);

// PREWARM_SERVER, PREWARM_NAMESPACE, PREWARM_TOKEN, PREWARM_CA. Empty ones count as not set.
void ApplyEnvironment(const Environment& environment, CtlConfig& config);

// What does not go together: no TLS to another machine, a server without port.
void CheckConnection(const CtlConfig& config, Problems& problems);

// The token for one call; empty if none is configured. kInvalidConfig: the file cannot be read, is
// empty or holds more than one line.
Result<Secret> ReadToken(const CtlConfig& config);

}  // namespace prewarm::ctl
