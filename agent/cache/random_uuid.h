// A random (version 4) UUID as text.
#pragma once

#include <string>

namespace prewarm::agent {

std::string RandomUuid();

}  // namespace prewarm::agent
