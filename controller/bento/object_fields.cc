#include "controller/bento/object_fields.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "common/base/utf8.h"

namespace prewarm::controller::bento {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxNameBytes = 253;
constexpr std::size_t kMaxUidBytes = 128;
constexpr std::size_t kMaxProblemBytes = 300;

struct Unit {
  std::string_view suffix;
  long double factor;
};
constexpr std::array<Unit, 16> kUnits{{{"", 1.0L},
                                       {"Ki", 0x1p10L},
                                       {"Mi", 0x1p20L},
                                       {"Gi", 0x1p30L},
                                       {"Ti", 0x1p40L},
                                       {"Pi", 0x1p50L},
                                       {"Ei", 0x1p60L},
                                       {"n", 1e-9L},
                                       {"u", 1e-6L},
                                       {"m", 1e-3L},
                                       {"k", 1e3L},
                                       {"M", 1e6L},
                                       {"G", 1e9L},
                                       {"T", 1e12L},
                                       {"P", 1e15L},
                                       {"E", 1e18L}}};

std::optional<long double> FactorOf(std::string_view suffix) {
  for (const auto& unit : kUnits) {
    if (unit.suffix == suffix) return unit.factor;
  }
  const bool exponent = suffix.size() > 1 && (suffix[0] == 'e' || suffix[0] == 'E');
  if (!exponent) return std::nullopt;
  suffix.remove_prefix(1);
  if (suffix[0] == '+') suffix.remove_prefix(1);
  int power = 0;
  const auto* begin = suffix.data();
  const auto* end = begin + suffix.size();
  const auto [at, error] = std::from_chars(begin, end, power);
  if (error != std::errc{} || at != end || power < -30 || power > 30) return std::nullopt;
  return std::pow(10.0L, static_cast<long double>(power));
}

}  // namespace

void Problems::Add(std::string_view field, std::string_view detail) {
  if (lines_.size() > kMaxProblems) return;
  if (lines_.size() == kMaxProblems) {
    lines_.emplace_back("and more");
    return;
  }
  auto line = ToUtf8(std::string(field.substr(0, kMaxProblemBytes)));
  if (!line.empty()) line += ' ';
  lines_.push_back(line + ToUtf8(detail.substr(0, kMaxProblemBytes)));
}

void Problems::Append(const Problems& others) {
  for (const auto& line : others.lines_) Add("", line);
}

std::string ObjectRef::Words() const {
  return kind + " " + (name_space.empty() ? "" : name_space + "/") + name;
}

std::optional<std::uint64_t> QuantityBytes(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  constexpr std::string_view kDigits = "0123456789.";
  const auto digits = std::min(text.find_first_not_of(kDigits), text.size());
  long double number = 0;
  const auto* begin = text.data();
  const auto* end = begin + digits;
  const auto [at, error] = std::from_chars(begin, end, number, std::chars_format::fixed);
  const auto factor = FactorOf(text.substr(digits));
  if (digits == 0 || error != std::errc{} || at != end || !factor) return std::nullopt;
  // 64 bits of mantissa: exact for every whole number of bytes below the limit.
  const long double bytes = std::ceil(number * *factor);
  if (!(bytes < 0x1p63L)) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::string_view JsonKindName(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return value.get_bool() ? "true" : "false";
    case json::kind::string: return "a text";
    case json::kind::array: return "a list";
    case json::kind::object: return "an object";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: break;
  }
  return "a number";
}

const json::object& ObjectFields::None() {
  static const json::object kNone;
  return kNone;
}

std::string ObjectFields::PathOf(std::string_view name) const {
  return (path_.empty() ? "" : path_ + ".") + std::string(name);
}

const json::value* ObjectFields::Find(std::string_view name) const {
  const auto* value = object_.if_contains({name.data(), name.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

void ObjectFields::Mismatch(const std::string& place, std::string_view expected,
                            const json::value& value) {
  problems_.Add(place,
                "must be " + std::string(expected) + ", not " + std::string(JsonKindName(value)));
}

std::optional<std::string> ObjectFields::AsText(const json::value& value, const std::string& place,
                                                std::size_t most) {
  const auto* text = value.if_string();
  if (text == nullptr) {
    Mismatch(place, "a text", value);
    return std::nullopt;
  }
  if (text->size() > most) {
    problems_.Add(place, "has " + std::to_string(text->size()) + " bytes; at most " +
                             std::to_string(most) + " are read");
    return std::nullopt;
  }
  return std::string(text->data(), text->size());
}

std::string ObjectFields::Text(std::string_view name, std::size_t most) {
  const auto* value = Find(name);
  if (value == nullptr) return {};
  return AsText(*value, PathOf(name), most).value_or("");
}

std::optional<std::int64_t> ObjectFields::Integer(std::string_view name, std::int64_t least,
                                                  std::int64_t most) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  const auto* number = value->if_int64();
  if (number != nullptr && *number >= least && *number <= most) return *number;
  problems_.Add(PathOf(name), "must be a whole number from " + std::to_string(least) + " to " +
                                  std::to_string(most));
  return std::nullopt;
}

std::optional<std::uint64_t> ObjectFields::Bytes(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64(); number != nullptr && *number >= 0) {
    return static_cast<std::uint64_t>(*number);
  }
  if (const auto* text = value->if_string()) {
    if (const auto bytes = QuantityBytes({text->data(), text->size()})) return bytes;
  }
  problems_.Add(PathOf(name), "must be a size such as \"16Gi\" or 1024");
  return std::nullopt;
}

const json::object* ObjectFields::FindObject(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return nullptr;
  if (const auto* object = value->if_object()) return object;
  Mismatch(PathOf(name), "an object", *value);
  return nullptr;
}

ObjectFields ObjectFields::Object(std::string_view name) {
  const auto* object = FindObject(name);
  return {object == nullptr ? None() : *object, PathOf(name), problems_};
}

const json::array* ObjectFields::FindList(std::string_view name, std::size_t most) {
  const auto* value = Find(name);
  if (value == nullptr) return nullptr;
  const auto* list = value->if_array();
  if (list == nullptr) {
    Mismatch(PathOf(name), "a list", *value);
    return nullptr;
  }
  if (list->size() > most) {
    problems_.Add(PathOf(name), "has " + std::to_string(list->size()) + " entries; the first " +
                                    std::to_string(most) + " are read");
  }
  return list;
}

void ObjectFields::AddText(const std::string& place, std::string_view key, const json::value& value,
                           TextMap& texts) {
  constexpr std::size_t kMaxMembers = 256;
  constexpr std::size_t kMaxKeyBytes = 317;         // prefix/name, as Kubernetes has it
  constexpr std::size_t kMaxValueBytes = 16 << 10;  // a list of models is the longest we know
  if (texts.size() == kMaxMembers || key.size() > kMaxKeyBytes) {
    problems_.Add(place, "has too many entries, or too long a name");
    return;
  }
  auto text = AsText(value, place + "['" + std::string(key) + "']", kMaxValueBytes);
  if (text) texts.emplace(key, std::move(*text));
}

bool IsOurAnnotation(std::string_view key) {
  return key.starts_with("yatai.ai/") || key.starts_with("prewarm.dev/");
}

std::optional<ObjectRef> ReadObjectRef(const json::object& object, std::string_view default_kind) {
  Problems unnamed;
  ObjectFields top(object, "", unnamed);
  auto metadata = top.Object("metadata");
  ObjectRef ref{.api_version = top.Text("apiVersion", kMaxNameBytes),
                .kind = top.Text("kind", kMaxNameBytes),
                .name_space = metadata.Text("namespace", kMaxNameBytes),
                .name = metadata.Text("name", kMaxNameBytes),
                .uid = metadata.Text("uid", kMaxUidBytes)};
  // Items of a list come without their kind.
  if (ref.kind.empty()) ref.kind = default_kind;
  if (ref.name.empty()) return std::nullopt;
  return ref;
}

}  // namespace prewarm::controller::bento
