// The YAML form of a ConfigSchema: two levels, sections and keys. Strict: an unknown or repeated
// key, a value of the wrong shape or one that its key refuses is a problem with file and line.
#pragma once

#include <string>
#include <string_view>

#include "common/process/config_schema.h"

namespace prewarm {

// Sets what the file says, all problems into `problems` as "agent.yaml:7: fetch.threads: …". Keys
// that the file leaves out keep their values. `text` is the file's content, `name` is for messages.
void ReadConfigText(const ConfigSchema& schema, std::string_view text, const std::string& name,
                    Problems& problems);
// The same from a file of at most 1 MiB.
void ReadConfigFile(const ConfigSchema& schema, const std::string& path, Problems& problems);

// A file that sets every key to the value in force, each with its explanation.
std::string PrintConfig(const ConfigSchema& schema);

}  // namespace prewarm
