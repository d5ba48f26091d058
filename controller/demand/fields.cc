#include "controller/demand/fields.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/string.hpp>
#include <charconv>
#include <limits>

#include "common/base/rfc3339.h"
#include "common/base/utf8.h"

namespace prewarm::controller::demand {
namespace {

namespace json = boost::json;

std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

std::string_view KindName(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "a truth value";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: return "a number";
    case json::kind::string: return "a text";
    case json::kind::array: return "a list";
    case json::kind::object: return "an object";
  }
  return "something else";
}

std::string AsText(double number) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return error == std::errc{} ? std::string(buffer.data(), end) : std::string();
}

}  // namespace

Fields::Fields(const json::object& object, const Fields& parent, Step step)
    : object_(&object), problem_(parent.problem_), path_(parent.path_), depth_(parent.depth_) {
  if (depth_ < path_.size()) path_[depth_++] = step;
}

const json::value* Fields::Find(std::string_view name) const {
  if (!problem_->empty()) return nullptr;
  const auto* value = object_->if_contains({name.data(), name.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

void Fields::Refuse(std::string_view name, std::string_view what) const {
  if (!problem_->empty()) return;
  std::string path;
  for (std::size_t i = 0; i < depth_; ++i) {
    path += path_[i].name;
    if (path_[i].index != kNoIndex) path += "[" + std::to_string(path_[i].index) + "]";
    path += ".";
  }
  constexpr std::size_t kShownName = 128;
  *problem_ = ToUtf8(path + std::string(name.substr(0, kShownName)) + " " + std::string(what));
}

void Fields::Mismatch(std::string_view name, std::string_view expected,
                      const json::value& value) const {
  Refuse(name, "is " + std::string(KindName(value)) + ", not " + std::string(expected));
}

bool Fields::CheckSize(std::string_view name, std::size_t size) const {
  if (size <= kMaxListed) return true;
  Refuse(name, "has " + std::to_string(size) + " entries, more than " + std::to_string(kMaxListed));
  return false;
}

std::string_view Fields::Text(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr) return {};
  if (const auto* text = value->if_string()) return View(*text);
  Mismatch(name, "a text", *value);
  return {};
}

std::string_view Fields::ShortText(std::string_view name) const {
  constexpr std::size_t kShort = 64;
  const auto text = Text(name);
  if (text.size() <= kShort) return text;
  Refuse(name, "is " + std::to_string(text.size()) + " bytes long");
  return {};
}

bool Fields::Flag(std::string_view name, bool otherwise) const {
  const auto* value = Find(name);
  if (value == nullptr) return otherwise;
  if (const auto* flag = value->if_bool()) return *flag;
  Mismatch(name, "a truth value", *value);
  return otherwise;
}

std::optional<std::int64_t> Fields::Integer(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  json::error_code error;
  const auto number = value->to_number<std::int64_t>(error);
  if (!error) return number;
  Mismatch(name, "a whole number within 64 bits", *value);
  return std::nullopt;
}

std::int32_t Fields::Count(std::string_view name, std::int32_t otherwise) const {
  const auto number = Integer(name);
  if (!number) return otherwise;
  if (*number >= 0 && *number <= std::numeric_limits<std::int32_t>::max()) {
    return static_cast<std::int32_t>(*number);
  }
  Refuse(name, "is " + std::to_string(*number) + ", not a count");
  return otherwise;
}

std::optional<double> Fields::Number(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  json::error_code error;
  const auto number = value->to_number<double>(error);
  if (!error) return number;
  Mismatch(name, "a number", *value);
  return std::nullopt;
}

std::optional<WallTime> Fields::Time(std::string_view name) const {
  const auto text = ShortText(name);
  if (text.empty()) return std::nullopt;
  auto time = ParseRfc3339(text);
  if (time) return *time;
  Refuse(name, time.error().message);
  return std::nullopt;
}

std::optional<Quantity> Fields::Amount(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  std::string text;
  if (value->is_string()) {
    text = ShortText(name);
    if (!problem_->empty()) return std::nullopt;
  } else if (value->is_number()) {
    text = value->is_int64()    ? std::to_string(value->get_int64())
           : value->is_uint64() ? std::to_string(value->get_uint64())
                                : AsText(value->get_double());
  } else {
    Mismatch(name, "a quantity", *value);
    return std::nullopt;
  }
  auto amount = ParseQuantity(text);
  if (amount) return *amount;
  Refuse(name, "is wrong: " + amount.error().message);
  return std::nullopt;
}

std::vector<std::string> Fields::Texts(std::string_view name) const {
  std::vector<std::string> texts;
  const auto* list = List(name);
  if (list == nullptr) return texts;
  texts.reserve(list->size());
  for (const auto& entry : *list) {
    const auto* text = entry.if_string();
    if (text == nullptr) {
      Mismatch(name, "a list of texts", entry);
      return {};
    }
    texts.emplace_back(View(*text));
  }
  return texts;
}

Labels Fields::LabelMap(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr) return {};
  const auto* map = value->if_object();
  if (map == nullptr) {
    Mismatch(name, "an object", *value);
    return {};
  }
  if (!CheckSize(name, map->size())) return {};
  std::vector<std::pair<std::string_view, std::string_view>> entries;
  entries.reserve(map->size());
  for (const auto& entry : *map) {
    const auto* text = entry.value().if_string();
    if (text == nullptr) {
      Mismatch(name, "a map of texts", entry.value());
      return {};
    }
    entries.emplace_back(std::string_view(entry.key().data(), entry.key().size()), View(*text));
  }
  return Labels(std::move(entries));
}

Fields Fields::Object(std::string_view name) const {
  static const json::object kEmpty;
  const auto* value = Find(name);
  const auto* object = value == nullptr ? nullptr : value->if_object();
  if (value != nullptr && object == nullptr) Mismatch(name, "an object", *value);
  return {object == nullptr ? kEmpty : *object, *this, {name}};
}

const json::array* Fields::List(std::string_view name) const {
  const auto* value = Find(name);
  if (value == nullptr) return nullptr;
  const auto* list = value->if_array();
  if (list == nullptr) {
    Mismatch(name, "a list", *value);
    return nullptr;
  }
  return CheckSize(name, list->size()) ? list : nullptr;
}

const json::object* Fields::EntryOf(const json::array& list, std::size_t index,
                                    std::string_view name) const {
  const auto* object = list[index].if_object();
  if (object == nullptr) {
    Mismatch(std::string(name) + "[" + std::to_string(index) + "]", "an object", list[index]);
  }
  return object;
}

}  // namespace prewarm::controller::demand
