#include "controller/api/rest_query.h"

#include <algorithm>
#include <charconv>

#include "common/base/nearest.h"
#include "common/base/utf8.h"

namespace prewarm::controller {
namespace {

constexpr std::size_t kMostQuoted = 64;
constexpr std::size_t kMostTokenBytes = 64;

}  // namespace

QueryFields::QueryFields(const net::HttpTarget& target, FieldProblems& problems)
    : target_(target), problems_(problems) {}

std::optional<std::string> QueryFields::Text(std::string_view name) {
  known_.emplace_back(name);
  const auto count = std::ranges::count(
      target_.query, name, [](const auto& pair) { return std::string_view(pair.first); });
  if (count > 1) problems_.Add(std::string(name), "is given " + std::to_string(count) + " times");
  const auto value = target_.Parameter(name);
  if (!value) return std::nullopt;
  return std::string(*value);
}

PageRequest QueryFields::Page(PageLimits limits) {
  PageRequest page{limits.usual, Text("page_token").value_or("")};
  if (page.token.size() > kMostTokenBytes) {
    problems_.Add("page_token", "take it from the page before");
  }
  const auto size = Text("page_size");
  if (!size) return page;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(size->data(), size->data() + size->size(), number);
  if (error != std::errc{} || end != size->data() + size->size() || number == 0) {
    problems_.Add("page_size", "must be a whole number from 1 to " + std::to_string(limits.most));
    return page;
  }
  page.size = CheckPageSize(number, limits, "page_size", problems_);
  return page;
}

PrewarmFilter QueryFields::Filter() {
  PrewarmFilter filter;
  if (auto volume = Text("volume")) {
    CheckName(*volume, "volume", problems_);
    filter.volume = *std::move(volume);
  }
  if (const auto state = Text("state")) {
    filter.state = PrewarmStateNamed(*state);
    if (!filter.state) {
      problems_.Add("state",
                    "must be pending, running, warm, succeeded, failed, cancelled or superseded");
    }
  }
  return filter;
}

void QueryFields::Finish() {
  for (const auto& [name, value] : target_.query) {
    if (std::ranges::find(known_, name) != known_.end()) continue;
    const auto text = ToUtf8(std::string_view(name).substr(0, kMostQuoted));
    const auto nearest = NearestWord(text, known_);
    problems_.Add(text, nearest.empty()
                            ? "is no parameter of this call"
                            : "is no parameter of this call: did you mean " + nearest + "?");
  }
}

}  // namespace prewarm::controller
