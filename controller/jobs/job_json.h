// The parts of a prewarm that a store keeps as JSON texts. Fields may be added: a missing one reads
// as its default, an unknown one is ignored. Bytes that are not UTF-8 (paths may hold any) survive.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "controller/plan/model.h"

namespace prewarm::controller {

std::string SpecToJson(const PrewarmSpec& spec);
std::string ProgressToJson(const TaskProgress& progress);

// kCorrupt: not such a text.
Result<PrewarmSpec> SpecFromJson(std::string_view text);
Result<TaskProgress> ProgressFromJson(std::string_view text);

// Moments as stored: nanoseconds since 1970.
std::int64_t ToNanoseconds(WallTime moment);
WallTime FromNanoseconds(std::int64_t nanoseconds);

}  // namespace prewarm::controller
