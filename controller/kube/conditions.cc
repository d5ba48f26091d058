#include "controller/kube/conditions.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/base/rfc3339.h"
#include "common/base/utf8.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostConditions = 16;
constexpr std::size_t kLongestMessage = 1024;

const Condition* Find(const Conditions& conditions, const std::string& type) {
  const auto at = std::ranges::find(conditions, type, &Condition::type);
  return at == conditions.end() ? nullptr : &*at;
}

}  // namespace

Condition MakeCondition(std::string type, bool holds, std::string reason,
                        const std::string& message) {
  auto words = ToUtf8(message, kLongestMessage);
  return {std::move(type), holds ? "True" : "False", std::move(reason), std::move(words), 0,
          std::nullopt};
}

Conditions ReadConditions(const json::object& status) {
  Conditions conditions;
  const auto* list = ArrayIn(status, "conditions");
  if (list == nullptr) return conditions;
  for (const auto& item : *list) {
    const auto* object = item.if_object();
    if (object == nullptr || conditions.size() == kMostConditions) continue;
    Condition condition;
    condition.type = TextIn(*object, "type");
    condition.status = TextIn(*object, "status");
    condition.reason = TextIn(*object, "reason");
    condition.message = TextIn(*object, "message");
    if (const auto* generation = object->if_contains("observedGeneration")) {
      json::error_code error;
      const auto number = generation->to_number<std::uint64_t>(error);
      if (!error) condition.observed_generation = number;
    }
    const auto since = ParseRfc3339(TextIn(*object, "lastTransitionTime"));
    if (since) condition.since = *since;
    if (!condition.type.empty()) conditions.push_back(std::move(condition));
  }
  return conditions;
}

bool SaySame(const Conditions& a, const Conditions& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return x.Says(y); });
}

void Follow(const Conditions& before, Conditions& next, std::uint64_t generation, WallTime now) {
  for (auto& condition : next) {
    condition.observed_generation = generation;
    const auto* old = Find(before, condition.type);
    const bool same = old != nullptr && old->status == condition.status && old->since;
    condition.since = same ? *old->since : now;
  }
}

json::array ToJson(const Conditions& conditions) {
  json::array array;
  for (const auto& condition : conditions) {
    json::object object{{"type", condition.type},
                        {"status", condition.status},
                        {"reason", condition.reason},
                        {"message", condition.message}};
    if (condition.observed_generation != 0) {
      object["observedGeneration"] = static_cast<std::int64_t>(condition.observed_generation);
    }
    // By the second, as the API's other times are.
    if (condition.since) {
      object["lastTransitionTime"] =
          FormatRfc3339(std::chrono::floor<std::chrono::seconds>(*condition.since));
    }
    array.emplace_back(std::move(object));
  }
  return array;
}

}  // namespace prewarm::controller::kube
