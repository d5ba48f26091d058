// Big-endian integers inside records, as JuiceFS writes all of its own. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prewarm::juicefs {

// Sizeof(Int) bytes at `at`; the caller has checked the length of `bytes`.
template <class Int>
Int BigEndian(std::string_view bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return static_cast<Int>(value);
}

}  // namespace prewarm::juicefs
