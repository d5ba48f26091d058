#include "common/juicefs/hash_ring.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "common/juicefs/hash.h"

namespace prewarm::juicefs {
namespace {

constexpr int kReplicas = 100;
constexpr int kRebalanceRounds = 5;
constexpr double kDamping = 0.75;
constexpr double kHashSpace = 4294967296.0;  // 2^32

// How the client moves an id's replica count towards its fair share. The order of the operations is
// part of the format: another order rounds differently and sends keys to another directory.
int Adjustment(int replicas, double expected, double share) {
  return static_cast<int>(
      std::trunc(static_cast<double>(replicas) * (expected - share) / expected * kDamping));
}

}  // namespace

HashRing::HashRing(const std::vector<std::string>& ids) {
  PREWARM_CHECK(!ids.empty(), "a hash ring needs at least one id");
  std::vector<int> replicas(ids.size(), kReplicas);
  PlacePoints(ids, replicas);
  for (int round = 0; ids.size() > 1 && round < kRebalanceRounds; ++round) {
    if (!Rebalance(replicas)) break;
    PlacePoints(ids, replicas);
  }
}

void HashRing::PlacePoints(const std::vector<std::string>& ids, const std::vector<int>& replicas) {
  points_.clear();
  for (std::size_t owner = 0; owner < ids.size(); ++owner) {
    for (int i = 0; i < replicas[owner]; ++i) {
      points_.push_back(
          {Murmur3_32(std::to_string(i) + ids[owner]), static_cast<std::uint32_t>(owner)});
    }
  }
  std::ranges::sort(points_);
}

bool HashRing::Rebalance(std::vector<int>& replicas) const {
  std::vector<std::uint64_t> arcs(replicas.size());
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const std::uint32_t previous = i == 0 ? points_.back().hash : points_[i - 1].hash;
    arcs[points_[i].owner] += points_[i].hash - previous;  // modulo 2^32: the lowest point wraps
  }
  const double expected =
      double{kReplicas} / (double{kReplicas} * static_cast<double>(replicas.size()));
  bool changed = false;
  for (std::size_t owner = 0; owner < replicas.size(); ++owner) {
    const double share = static_cast<double>(arcs[owner]) / kHashSpace;
    const int adjustment = Adjustment(replicas[owner], expected, share);
    // Exactly as the client has it: an adjustment of one is no change, one of zero is.
    if (adjustment == 1) continue;
    replicas[owner] += adjustment;
    changed = true;
  }
  return changed;
}

std::size_t HashRing::Owner(std::string_view block_key) const {
  if (points_.empty()) return 0;  // ids so alike that re-balancing removed every replica
  auto point = std::ranges::lower_bound(points_, Murmur3_32(block_key), {}, &Point::hash);
  return point == points_.end() ? points_.front().owner : point->owner;
}

}  // namespace prewarm::juicefs
