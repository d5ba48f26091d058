// The tables of the job store, and how a file comes to have them.
#pragma once

#include <string>

#include "common/base/result.h"
#include "controller/jobs/sqlite.h"

namespace prewarm::controller {

inline constexpr int kJobStoreSchema = 1;

// Opens the file, makes or migrates its tables, and sees to it that it is whole and durable in the
// way the store relies on. Changes nothing in a file that it refuses: kInvalidConfig for one that a
// newer version wrote or that belongs to another program; otherwise as sqlite::Database says.
Result<sqlite::Database> OpenJobDatabase(const std::string& path);

}  // namespace prewarm::controller
