// What the fuzz targets share: the input as text, and a claim that ends the run where it is false.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace prewarm::fuzz {

inline std::string_view AsText(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void Claim(bool holds) {
  if (!holds) std::abort();
}

}  // namespace prewarm::fuzz
