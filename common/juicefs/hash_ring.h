// Which of several cache directories holds a block: JuiceFS's re-balanced consistent hash over the
// directories' .lock ids. The answer depends only on the set of ids.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace prewarm::juicefs {

class HashRing {
 public:
  // At least one id. Ids are used byte for byte.
  explicit HashRing(const std::vector<std::string>& ids);
  // Index into the ids given at construction. Thread-safe.
  [[nodiscard]] std::size_t Owner(std::string_view block_key) const;

 private:
  struct Point {
    std::uint32_t hash;
    std::uint32_t owner;
    auto operator<=>(const Point&) const = default;
  };
  void PlacePoints(const std::vector<std::string>& ids, const std::vector<int>& replicas);
  // One step towards equal shares; false if nothing changed.
  bool Rebalance(std::vector<int>& replicas) const;

  std::vector<Point> points_;
};

}  // namespace prewarm::juicefs
