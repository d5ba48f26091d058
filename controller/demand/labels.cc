#include "controller/demand/labels.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace prewarm::controller::demand {
namespace {

struct OperatorWord {
  Requirement::Operator op;
  std::string_view name;
};
constexpr std::array<OperatorWord, 6> kOperators{{
    {Requirement::Operator::kIn, "In"},
    {Requirement::Operator::kNotIn, "NotIn"},
    {Requirement::Operator::kExists, "Exists"},
    {Requirement::Operator::kDoesNotExist, "DoesNotExist"},
    {Requirement::Operator::kGt, "Gt"},
    {Requirement::Operator::kLt, "Lt"},
}};

std::optional<std::int64_t> WholeNumber(std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Labels::Labels(std::vector<std::pair<std::string_view, std::string_view>> entries) {
  std::ranges::sort(entries);
  std::size_t bytes = 0;
  for (const auto& [key, value] : entries) bytes += key.size() + value.size();
  text_.reserve(bytes);
  entries_.reserve(entries.size());
  for (const auto& [key, value] : entries) {
    Entry entry;
    entry.key = static_cast<std::uint32_t>(text_.size());
    text_ += key;
    entry.value = static_cast<std::uint32_t>(text_.size());
    text_ += value;
    entries_.push_back(entry);
  }
}

Labels::Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> entries)
    : Labels(std::vector(entries)) {}

std::string_view Labels::KeyAt(std::size_t index) const {
  const auto& entry = entries_[index];
  return std::string_view(text_).substr(entry.key, entry.value - entry.key);
}

std::pair<std::string_view, std::string_view> Labels::at(std::size_t index) const {
  const auto begin = entries_[index].value;
  const auto end = index + 1 < entries_.size() ? entries_[index + 1].key : text_.size();
  return {KeyAt(index), std::string_view(text_).substr(begin, end - begin)};
}

std::optional<std::string_view> Labels::Find(std::string_view key) const {
  std::size_t low = 0;
  std::size_t high = entries_.size();
  while (low < high) {
    const auto middle = (low + high) / 2;
    if (KeyAt(middle) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == entries_.size() || KeyAt(low) != key) return std::nullopt;
  return at(low).second;
}

bool Requirement::Holds(std::optional<std::string_view> value) const {
  const auto listed = [&] { return std::ranges::find(values, *value) != values.end(); };
  switch (op) {
    case Operator::kIn: return value && listed();
    case Operator::kNotIn: return !value || !listed();
    case Operator::kExists: return value.has_value();
    case Operator::kDoesNotExist: return !value.has_value();
    case Operator::kGt:
    case Operator::kLt: break;
  }
  if (!value || values.size() != 1) return false;
  const auto have = WholeNumber(*value);
  const auto bound = WholeNumber(values.front());
  if (!have || !bound) return false;
  return op == Operator::kGt ? *have > *bound : *have < *bound;
}

std::optional<Requirement::Operator> OperatorNamed(std::string_view name) {
  for (const auto& word : kOperators) {
    if (word.name == name) return word.op;
  }
  return std::nullopt;
}

std::string Words(const Requirement& requirement) {
  const auto listed = [&] {
    std::string text = "(";
    for (const auto& value : requirement.values) text += (text.size() > 1 ? ", " : "") + value;
    return text + ")";
  };
  const auto& key = requirement.key;
  const auto bound = requirement.values.empty() ? std::string("?") : requirement.values.front();
  switch (requirement.op) {
    case Requirement::Operator::kIn: return key + " in " + listed();
    case Requirement::Operator::kNotIn: return key + " not in " + listed();
    case Requirement::Operator::kExists: return key + " exists";
    case Requirement::Operator::kDoesNotExist: return key + " does not exist";
    case Requirement::Operator::kGt: return key + " > " + bound;
    case Requirement::Operator::kLt: return key + " < " + bound;
  }
  return key;
}

bool LabelSelector::Matches(const Labels& labels) const {
  return std::ranges::all_of(requirements, [&](const Requirement& requirement) {
    return requirement.Holds(labels.Find(requirement.key));
  });
}

}  // namespace prewarm::controller::demand
