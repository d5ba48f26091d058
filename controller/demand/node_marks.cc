#include "controller/demand/node_marks.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>

#include "common/base/rfc3339.h"
#include "common/base/units.h"
#include "controller/demand/warm_label.h"

namespace prewarm::controller::demand {
namespace {

using std::chrono::seconds;

// A node is there before the pods that it was made for are seen to want it.
constexpr seconds kSettle{10};
// Not worth a write any more.
constexpr std::int64_t kFewSeconds = 4;

bool MovedByLittle(std::string_view before, WallTime expected, WallTime now) {
  const auto then = ParseRfc3339(before);
  if (!then) return false;
  const auto moved = *then > expected ? *then - expected : expected - *then;
  const auto left = std::max<WallTime::duration>(expected - now, WallTime::duration::zero());
  return moved <= std::max<WallTime::duration>(seconds(10), left / 5);
}

std::string KeyOf(std::string_view prefix, std::string_view label) {
  return std::string(prefix) + std::string(label.substr(kWarmPrefix.size()));
}

std::int64_t SecondsUntil(WallTime expected, WallTime now) {
  return std::max<std::int64_t>(0, std::chrono::ceil<seconds>(expected - now).count());
}

// Of a number that may have been written by anybody.
bool IsHalfGone(std::string_view before, std::int64_t left) {
  std::int64_t said = 0;
  const auto [end, error] = std::from_chars(before.data(), before.data() + before.size(), said);
  if (error != std::errc{} || end != before.data() + before.size() || said < 0) return true;
  return said > kFewSeconds && left <= said / 2;
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
    const auto moment = KeyOf(kExpectedPrefix, label);
    const auto duration = KeyOf(kSecondsPrefix, label);
    kept.insert({moment, duration});
    const auto before = node.expected.Find(moment);
    const bool moved = !before || !MovedByLittle(*before, expected, now);
    if (moved) marks.annotations[moment] = FormatRfc3339(std::chrono::floor<seconds>(expected));
    const auto left = SecondsUntil(expected, now);
    const auto said = node.expected.Find(duration);
    if (moved || !said || IsHalfGone(*said, left)) {
      marks.annotations[duration] = std::to_string(left);
    }
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
