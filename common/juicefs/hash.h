// The hashes that JuiceFS uses to place keys.
#pragma once

#include <cstdint>
#include <string_view>

namespace prewarm::juicefs {

std::uint32_t Murmur3_32(std::string_view bytes);  // x86 variant, seed 0: the cache directory ring
std::uint32_t Fnv1_32(std::string_view bytes);     // legacy cache directory
std::uint32_t Fnv1a_32(std::string_view bytes);    // shard of a sharded bucket

}  // namespace prewarm::juicefs
