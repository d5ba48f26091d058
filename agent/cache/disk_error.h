// errno of a failed call on a cache disk as an Error whose reason says what an operator must do.
#pragma once

#include <string_view>

#include "common/base/result.h"

namespace prewarm::agent {

// `file_system` is any descriptor on the disk: ENOSPC means bytes or inodes, and only statfs tells.
Error DiskError(int error_number, std::string_view what, int file_system);

// The cache directory is no longer the one that we opened.
Error DirectoryGone(std::string_view path, std::string_view why);

}  // namespace prewarm::agent
