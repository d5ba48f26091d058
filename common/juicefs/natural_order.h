// The order in which people number files: "shard-2" before "shard-10".
#pragma once

#include <string_view>

namespace prewarm::juicefs {

// A strict weak order: runs of digits compare as numbers, everything else byte by byte.
bool NaturalLess(std::string_view a, std::string_view b);

}  // namespace prewarm::juicefs
