#include "controller/demand/objects.h"

#include <algorithm>
#include <limits>

namespace prewarm::controller::demand {
namespace {

constexpr auto kMost = std::numeric_limits<std::int64_t>::max();

std::int64_t Sum(std::int64_t a, std::int64_t b) { return b > kMost - a ? kMost : a + b; }

// Where `name` stands in the sorted list, or would.
auto Place(auto& extended, std::string_view name) {
  return std::ranges::lower_bound(extended, name, {},
                                  [](const auto& entry) { return std::string_view(entry.first); });
}

std::int64_t& Slot(std::vector<std::pair<std::string, std::int64_t>>& extended,
                   std::string_view name) {
  auto at = Place(extended, name);
  if (at == extended.end() || at->first != name) at = extended.emplace(at, name, 0);
  return at->second;
}

}  // namespace

void Resources::Set(std::string_view name, const Quantity& amount) {
  // Nobody has less than nothing; the API server agrees.
  const auto units = std::max<std::int64_t>(amount.CeilUnits(), 0);
  if (name == "cpu") {
    cpu_milli = std::max<std::int64_t>(amount.CeilMilli(), 0);
  } else if (name == "memory") {
    memory = units;
  } else if (name == "ephemeral-storage") {
    ephemeral_storage = units;
  } else if (name == "pods") {
    pods = units;
  } else {
    Slot(extended, name) = units;
  }
}

std::int64_t Resources::Extended(std::string_view name) const {
  const auto at = Place(extended, name);
  return at != extended.end() && at->first == name ? at->second : 0;
}

bool Resources::NamesExtended(std::string_view name) const {
  const auto at = Place(extended, name);
  return at != extended.end() && at->first == name;
}

void Resources::Add(const Resources& other) {
  cpu_milli = Sum(cpu_milli, other.cpu_milli);
  memory = Sum(memory, other.memory);
  ephemeral_storage = Sum(ephemeral_storage, other.ephemeral_storage);
  pods = Sum(pods, other.pods);
  for (const auto& [name, amount] : other.extended) {
    auto& slot = Slot(extended, name);
    slot = Sum(slot, amount);
  }
}

void Resources::RaiseTo(const Resources& other) {
  cpu_milli = std::max(cpu_milli, other.cpu_milli);
  memory = std::max(memory, other.memory);
  ephemeral_storage = std::max(ephemeral_storage, other.ephemeral_storage);
  pods = std::max(pods, other.pods);
  for (const auto& [name, amount] : other.extended) {
    auto& slot = Slot(extended, name);
    slot = std::max(slot, amount);
  }
}

std::string Words(const Taint& taint) {
  constexpr std::string_view kEffects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
  std::string text = taint.key;
  if (!taint.value.empty()) text += "=" + taint.value;
  return text + ":" + std::string(kEffects[static_cast<std::size_t>(taint.effect)]);
}

}  // namespace prewarm::controller::demand
