#include "controller/plan/placement.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "common/base/units.h"

namespace prewarm::controller {
namespace {

bool Matches(const NodeSelector& selector, const Node& node) {
  const bool named = selector.names.empty() ||
                     std::ranges::find(selector.names, node.name) != selector.names.end();
  return named && std::ranges::all_of(selector.labels, [&](const auto& label) {
           const auto at = node.labels.find(label.first);
           return at != node.labels.end() && at->second == label.second;
         });
}

struct Candidate {
  const Node* node = nullptr;
  std::uint64_t needed = 0;  // bytes that are not cached yet
  std::uint64_t queued = 0;
  std::uint64_t room = 0;
  std::uint64_t rate = 0;  // 0: not known
  double seconds = 0;      // until it would be done
};

Candidate CandidateFor(const Node& node, std::uint64_t bytes, const std::string& volume_uuid,
                       std::uint64_t queued, const FleetLimits& limits) {
  Candidate candidate{&node, bytes, queued, 0, ExpectedRate(node, limits), 0};
  for (const auto& volume : node.volumes) {
    if (volume.uuid == volume_uuid) candidate.needed -= std::min(bytes, volume.cached_bytes);
  }
  const auto available = node.AvailableBytes();
  candidate.room = available - std::min(available, queued);
  return candidate;
}

std::optional<Placement::Rejected> WhyNot(const Candidate& candidate) {
  const auto& node = *candidate.node;
  if (!node.connected) return Placement::Rejected{node.name, "is not connected"};
  if (node.draining) return Placement::Rejected{node.name, "drains"};
  if (node.directories.empty()) return Placement::Rejected{node.name, "has no cache directory"};
  if (candidate.needed <= candidate.room) return std::nullopt;
  const auto missing = candidate.needed - candidate.room;
  return Placement::Rejected{node.name,
                             "needs " + FormatBytes(candidate.needed) + ", " +
                                 FormatBytes(missing) + " more than it has room for",
                             missing};
}

void EstimateTimes(std::span<Candidate> candidates) {
  std::uint64_t lowest = 0;
  for (const auto& candidate : candidates) {
    if (candidate.rate != 0 && (lowest == 0 || candidate.rate < lowest)) lowest = candidate.rate;
  }
  for (auto& candidate : candidates) {
    if (candidate.needed == 0) continue;  // nothing to do is done at once, whatever is queued
    const auto rate = candidate.rate != 0 ? candidate.rate : std::max<std::uint64_t>(lowest, 1);
    candidate.seconds =
        (static_cast<double>(candidate.needed) + static_cast<double>(candidate.queued)) /
        static_cast<double>(rate);
  }
}

bool Better(const Candidate& a, const Candidate& b) {
  return std::tie(a.seconds, a.needed, b.room, a.node->name) <
         std::tie(b.seconds, b.needed, a.room, b.node->name);
}

void RejectUnknownNames(const NodeSelector& selector, std::span<const Node> nodes,
                        Placement& placement) {
  for (const auto& name : selector.names) {
    const bool known =
        std::ranges::any_of(nodes, [&](const Node& node) { return node.name == name; });
    if (!known) placement.rejected.push_back({name, "is not known: its agent never connected"});
  }
}

}  // namespace

Placement Place(const NodeSelector& selector, std::uint64_t bytes, const std::string& volume_uuid,
                std::span<const Node> nodes, const std::map<std::string, std::uint64_t>& queued,
                const FleetLimits& limits) {
  Placement placement;
  std::vector<Candidate> fit;
  for (const auto& node : nodes) {
    if (!Matches(selector, node)) continue;
    const auto at = queued.find(node.name);
    auto candidate =
        CandidateFor(node, bytes, volume_uuid, at == queued.end() ? 0 : at->second, limits);
    if (auto rejected = WhyNot(candidate)) {
      placement.rejected.push_back(*std::move(rejected));
    } else {
      fit.push_back(candidate);
    }
  }
  RejectUnknownNames(selector, nodes, placement);
  std::ranges::sort(placement.rejected, {}, &Placement::Rejected::node);
  EstimateTimes(fit);
  std::ranges::sort(fit, Better);
  if (selector.count != 0 && fit.size() > selector.count) fit.resize(selector.count);
  for (const auto& candidate : fit) placement.nodes.push_back(candidate.node->name);
  return placement;
}

}  // namespace prewarm::controller
