// Points in time as texts: "2026-11-25T12:03:10.5Z". Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace prewarm {

// In UTC, with as many digits behind the second as it takes, down to nanoseconds.
std::string FormatRfc3339(WallTime when);

// Any offset ("Z", "+02:00"); "t", "z" and a space for the "T" are taken, too. From 1970 to 2261.
// kInvalidArgument says what is expected. A leap second is the second after it.
Result<WallTime> ParseRfc3339(std::string_view text);

}  // namespace prewarm
