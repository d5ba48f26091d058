// Times as the API's MicroTime wants them: exactly six digits behind the second. Pure.
#pragma once

#include <string>

#include "common/base/clock.h"

namespace prewarm::controller::kube {

// "2026-11-25T12:03:10.500000Z"
std::string FormatMicroTime(WallTime when);

}  // namespace prewarm::controller::kube
