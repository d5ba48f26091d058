// Labels of Kubernetes objects and selectors over them. There are tens of thousands of labelled
// objects, so the labels of one live in two blocks of memory, whatever their number.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prewarm::controller::demand {

// An immutable map from key to value, sorted by key.
class Labels {
 public:
  Labels() = default;
  // The keys differ.
  explicit Labels(std::vector<std::pair<std::string_view, std::string_view>> entries);
  Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> entries);

  // The view lives as long as this.
  [[nodiscard]] std::optional<std::string_view> Find(std::string_view key) const;
  [[nodiscard]] bool Has(std::string_view key, std::string_view value) const {
    return Find(key) == value;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::pair<std::string_view, std::string_view> at(std::size_t index) const;
  bool operator==(const Labels&) const = default;

 private:
  struct Entry {
    std::uint32_t key = 0;    // where it begins in text_; the value follows it
    std::uint32_t value = 0;  // and ends where the next key begins
    bool operator==(const Entry&) const = default;
  };
  [[nodiscard]] std::string_view KeyAt(std::size_t index) const;

  std::string text_;
  std::vector<Entry> entries_;
};

// One demand on one label; kGt and kLt exist in node affinities only.
struct Requirement {
  enum class Operator : std::uint8_t { kIn, kNotIn, kExists, kDoesNotExist, kGt, kLt };
  std::string key;
  Operator op = Operator::kExists;
  std::vector<std::string> values;
  bool operator==(const Requirement&) const = default;

  // As Kubernetes has it: kNotIn holds where the label is absent; kGt and kLt hold only between
  // whole numbers.
  [[nodiscard]] bool Holds(std::optional<std::string_view> value) const;
};

std::optional<Requirement::Operator> OperatorNamed(std::string_view name);  // "In", …
// "zone in (a, b)", "disk exists": for people.
std::string Words(const Requirement& requirement);

// metav1.LabelSelector. Without requirements it matches everything.
struct LabelSelector {
  std::vector<Requirement> requirements;
  bool operator==(const LabelSelector&) const = default;
  [[nodiscard]] bool Matches(const Labels& labels) const;
};

}  // namespace prewarm::controller::demand
