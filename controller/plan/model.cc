#include "controller/plan/model.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

namespace prewarm::controller {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 7> kPrewarmStates{
    "pending", "running", "warm", "succeeded", "failed", "cancelled", "superseded"};
constexpr std::array<std::string_view, 8> kTaskStates{"waiting", "queued",  "running", "stored",
                                                      "stale",   "visible", "failed",  "cancelled"};

template <class State>
std::optional<State> StateNamed(std::string_view name, std::span<const std::string_view> names) {
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) return std::nullopt;
  return static_cast<State>(at - names.begin());
}

// Parts joined so that different lists give different texts, whatever bytes they hold.
void AppendPart(std::string& text, std::string_view part) {
  text += std::to_string(part.size());
  text += ':';
  text += part;
}

std::uint64_t SaturatedSum(std::uint64_t a, std::uint64_t b) {
  return b > std::numeric_limits<std::uint64_t>::max() - a
             ? std::numeric_limits<std::uint64_t>::max()
             : a + b;
}

// FNV-1a over little-endian bytes: the same on every machine and in every version.
class Fingerprint {
 public:
  void Add(std::uint64_t value) {
    for (int byte = 0; byte < 8; ++byte) {
      hash_ = (hash_ ^ (value >> (8 * byte) & 0xff)) * 0x100000001b3ULL;
    }
  }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace

const NodeTarget* PrewarmSpec::TargetAt(std::string_view node) const {
  const auto at = std::ranges::lower_bound(targets, node, {}, &NodeTarget::node);
  return at != targets.end() && at->node == node ? &*at : nullptr;
}

std::string PrewarmSpec::ModelKey() const {
  std::string key;
  if (!model.empty()) {
    key = "model ";
    AppendPart(key, model);
    return key;
  }
  key = "paths ";
  AppendPart(key, volume);
  auto sorted = paths;
  std::ranges::sort(sorted);
  const auto repeated = std::ranges::unique(sorted);
  sorted.erase(repeated.begin(), repeated.end());
  for (const auto& path : sorted) AppendPart(key, path);
  return key;
}

std::string_view StateName(PrewarmState state) {
  return kPrewarmStates.at(static_cast<std::size_t>(state));
}

std::optional<PrewarmState> PrewarmStateNamed(std::string_view name) {
  return StateNamed<PrewarmState>(name, kPrewarmStates);
}

std::string_view StateName(TaskState state) {
  return kTaskStates.at(static_cast<std::size_t>(state));
}

std::optional<TaskState> TaskStateNamed(std::string_view name) {
  return StateNamed<TaskState>(name, kTaskStates);
}

std::uint64_t TaskProgress::MissingBytes() const {
  const auto there = SaturatedSum(present_bytes, fetched_bytes);
  return there < planned_bytes ? planned_bytes - there : 0;
}

std::uint64_t ResolvedPlan::Hash() const {
  Fingerprint fingerprint;
  fingerprint.Add(blocks.block_size());
  for (const auto& run : blocks.Runs()) {
    fingerprint.Add(run.slice.value);
    fingerprint.Add(run.slice_size);
    fingerprint.Add(run.first_index);
    fingerprint.Add(run.count);
  }
  return fingerprint.value();
}

std::uint64_t Node::CapacityBytes() const {
  std::uint64_t sum = 0;
  for (const auto& directory : directories) sum = SaturatedSum(sum, directory.capacity_bytes);
  return sum;
}

std::uint64_t Node::AvailableBytes() const {
  std::uint64_t sum = 0;
  for (const auto& directory : directories) sum = SaturatedSum(sum, directory.available_bytes);
  return sum;
}

}  // namespace prewarm::controller
