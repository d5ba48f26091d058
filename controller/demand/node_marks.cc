#include "controller/demand/node_marks.h"

#include <algorithm>

#include "common/base/rfc3339.h"
#include "common/base/units.h"
#include "controller/demand/warm_label.h"

namespace prewarm::controller::demand {
namespace {

using std::chrono::seconds;

// A node is there before the pods that it was made for are seen to want it.
constexpr seconds kSettle{10};

bool MovedByLittle(std::string_view before, WallTime expected, WallTime now) {
  const auto then = ParseRfc3339(before);
  if (!then) return false;
  const auto moved = *then > expected ? *then - expected : expected - *then;
  const auto left = std::max<WallTime::duration>(expected - now, WallTime::duration::zero());
  return moved <= std::max<WallTime::duration>(seconds(10), left / 5);
}

std::string ExpectedKey(std::string_view label) {
  return std::string(kExpectedPrefix) + std::string(label.substr(kWarmPrefix.size()));
}

}  // namespace

NodeMarks MarksToChange(const Node& node, const NodeWarmth& warmth, WallTime now) {
  NodeMarks marks;
  for (const auto& label : warmth.warm) {
    if (!node.labels.Find(label)) marks.labels[label] = "true";
  }
  for (std::size_t i = 0; i < node.labels.size(); ++i) {
    const std::string key(node.labels.at(i).first);
    if (key.starts_with(kWarmPrefix) && !warmth.warm.contains(key)) marks.labels[key] = {};
  }
  std::set<std::string, std::less<>> kept;
  for (const auto& [label, expected] : warmth.expected) {
    const auto key = ExpectedKey(label);
    kept.insert(key);
    const auto before = node.expected.Find(key);
    if (before && MovedByLittle(*before, expected, now)) continue;
    marks.annotations[key] = FormatRfc3339(std::chrono::floor<seconds>(expected));
  }
  for (std::size_t i = 0; i < node.expected.size(); ++i) {
    const auto key = node.expected.at(i).first;
    if (!kept.contains(key)) marks.annotations[std::string(key)] = {};
  }
  return marks;
}

std::optional<std::size_t> GateOf(const Node& node) {
  const auto found = std::ranges::find_if(node.taints, [](const Taint& taint) {
    return taint.key == kGateTaint || taint.key == kAutoscalerGateTaint;
  });
  if (found == node.taints.end()) return std::nullopt;
  return static_cast<std::size_t>(found - node.taints.begin());
}

std::optional<std::string> WhyOpen(const Node& node, bool has_agent, const GateWish& wish,
                                   WallTime now) {
  if (!node.created_at) return "its age is not known";
  const auto age = now - *node.created_at;
  if (age >= wish.timeout) return "it was held back for " + FormatDuration(wish.timeout);
  if (wish.pending || !has_agent || node.ready != Truth::kTrue) return std::nullopt;
  if (wish.wanted) return "what it was chosen for is warm";
  if (age >= kSettle) return "nothing is to be warmed there";
  return std::nullopt;
}

}  // namespace prewarm::controller::demand
