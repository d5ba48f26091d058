// Names inside a JuiceFS cache directory: <dir>/<UUID>/raw/<block key>, and the rules of
// --cache-dir and --cache-mode.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace prewarm::juicefs {

inline constexpr std::string_view kRawFolder = "raw";
inline constexpr std::string_view kLockFile = ".lock";
// Our own folder beside raw/, for file systems without O_TMPFILE; the client ignores it.
inline constexpr std::string_view kPrewarmFolder = ".prewarm";

// The entries of a --cache-dir value: separated by ':', or by ',' if there is no ':' at all;
// trailing slashes stripped, empty and repeated entries dropped. kInvalidArgument: nothing left, a
// relative path, or `memory` (there is no disk cache to warm).
Result<std::vector<std::string>> SplitCacheDirs(std::string_view value);

// True if the entry needs expansion against existing directories.
bool HasWildcard(std::string_view path);

// Octal text as --cache-mode takes it ("0600").
Result<mode_t> ParseCacheMode(std::string_view text);
// The mode of directories that goes with a file mode: a read bit brings write and execute.
mode_t DirectoryMode(mode_t file_mode);

// 36 characters, 8-4-4-4-12 hexadecimal digits: the only text that may become a path component.
bool IsUuid(std::string_view text);

}  // namespace prewarm::juicefs
