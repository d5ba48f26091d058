// Integers that cannot be mixed up: a SliceId is not an Inode.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace prewarm {

template <class Tag, class Int = std::uint64_t>
struct Strong {
  Int value = 0;
  constexpr Strong() = default;
  constexpr explicit Strong(Int v) : value(v) {}
  constexpr auto operator<=>(const Strong&) const = default;
};

}  // namespace prewarm

template <class Tag, class Int>
struct std::hash<prewarm::Strong<Tag, Int>> {
  std::size_t operator()(prewarm::Strong<Tag, Int> id) const noexcept {
    return std::hash<Int>{}(id.value);
  }
};
