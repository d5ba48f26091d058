#include "controller/api/json_fields.h"

#include <algorithm>
#include <boost/json/stream_parser.hpp>
#include <cmath>
#include <utility>

#include "common/base/nearest.h"
#include "common/base/rfc3339.h"
#include "common/base/utf8.h"

namespace prewarm::controller {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostDepth = 16;
constexpr std::size_t kMostQuoted = 64;

std::string View(const json::string& text) { return {text.data(), text.size()}; }

// Names that callers made up are not repeated at any length.
std::string Shortened(std::string_view name) {
  return ToUtf8(name.substr(0, kMostQuoted)) + (name.size() > kMostQuoted ? "…" : "");
}

// JSON knows no integers: 10.0 is one.
std::optional<std::int64_t> AsInteger(const json::value& value) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (const auto* number = value.if_int64()) return *number;
  const auto* real = value.if_double();
  if (real == nullptr || std::abs(*real) > kExact || *real != std::trunc(*real)) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*real);
}

}  // namespace

ApiResult<json::value> ParseJson(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMostDepth;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t parsed = parser.write_some(text.data(), text.size(), error);
  if (!error) parser.finish(error);
  const bool more = text.find_first_not_of(" \t\r\n", parsed) != std::string_view::npos;
  if (!error && !more) return parser.release();
  return Refuse({ProblemKind::kInvalid,
                 "malformed-json",
                 "The body is not a JSON document: " +
                     (error ? error.message() : "something follows the document") + ", at byte " +
                     std::to_string(parsed) + ".",
                 {},
                 {}});
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

JsonFields::JsonFields(const json::object& object, std::string path, FieldProblems& problems)
    : object_(object), path_(std::move(path)), problems_(problems) {}

std::string JsonFields::PathOf(std::string_view name) const {
  return (path_.empty() ? "" : path_ + ".") + std::string(name);
}

const json::value* JsonFields::Take(std::string_view name) {
  known_.emplace_back(name);
  return object_.if_contains(Key(name));
}

void JsonFields::Mismatch(std::string path, std::string_view expected, const json::value& value) {
  problems_.Add(std::move(path),
                "must be " + std::string(expected) + ", not " + std::string(JsonKindName(value)));
}

std::optional<std::string> JsonFields::Text(std::string_view name) {
  const auto* value = Take(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = value->if_string()) return View(*text);
  Mismatch(PathOf(name), "a text", *value);
  return std::nullopt;
}

std::optional<bool> JsonFields::Flag(std::string_view name) {
  const auto* value = Take(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = value->if_bool()) return *flag;
  Mismatch(PathOf(name), "true or false", *value);
  return std::nullopt;
}

std::optional<std::int64_t> JsonFields::Integer(std::string_view name, std::int64_t least,
                                                std::int64_t most) {
  const auto* value = Take(name);
  if (value == nullptr) return std::nullopt;
  const auto range = std::to_string(least) + " to " + std::to_string(most);
  const auto number = AsInteger(*value);
  if (number && *number >= least && *number <= most) return number;
  if (number) {
    problems_.Add(PathOf(name), std::to_string(*number) + " is not from " + range);
  } else if (value->is_number()) {
    problems_.Add(PathOf(name), "must be a whole number from " + range);
  } else {
    Mismatch(PathOf(name), "a whole number from " + range, *value);
  }
  return std::nullopt;
}

std::optional<WallTime> JsonFields::Time(std::string_view name) {
  const auto* value = Take(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  const auto* text = value->if_string();
  if (text == nullptr) {
    Mismatch(PathOf(name), "a time such as \"2026-11-25T12:03:10Z\"", *value);
    return std::nullopt;
  }
  const auto when = ParseRfc3339(View(*text));
  if (when) return *when;
  problems_.Add(PathOf(name), ToUtf8(when.error().message));
  return std::nullopt;
}

std::optional<std::vector<std::string>> JsonFields::TextList(std::string_view name) {
  const auto* value = Take(name);
  if (value == nullptr) return std::nullopt;
  const auto* list = value->if_array();
  if (list == nullptr) {
    Mismatch(PathOf(name), "a list of texts", *value);
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const auto& item : *list) {
    if (const auto* text = item.if_string()) {
      texts.push_back(View(*text));
    } else {
      const auto place = std::to_string(&item - list->data());
      Mismatch(PathOf(name) + "[" + place + "]", "a text", item);
    }
  }
  if (texts.size() != list->size()) return std::nullopt;
  return texts;
}

std::optional<std::map<std::string, std::string>> JsonFields::TextMap(std::string_view name) {
  const auto* value = Take(name);
  if (value == nullptr) return std::nullopt;
  const auto* object = value->if_object();
  if (object == nullptr) {
    Mismatch(PathOf(name), "an object of texts", *value);
    return std::nullopt;
  }
  std::map<std::string, std::string> texts;
  for (const auto& entry : *object) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (const auto* text = entry.value().if_string()) {
      texts.emplace(key, View(*text));
    } else {
      Mismatch(PathOf(name) + "[\"" + Shortened(key) + "\"]", "a text", entry.value());
    }
  }
  if (texts.size() != object->size()) return std::nullopt;
  return texts;
}

std::optional<JsonFields> JsonFields::Object(std::string_view name) {
  const auto* value = Take(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* object = value->if_object()) return JsonFields(*object, PathOf(name), problems_);
  Mismatch(PathOf(name), "an object", *value);
  return std::nullopt;
}

void JsonFields::Finish() {
  for (const auto& entry : object_) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (std::ranges::find(known_, key) != known_.end()) continue;
    const auto nearest = NearestWord(key.substr(0, kMostQuoted), known_);
    problems_.Add(PathOf(Shortened(key)), nearest.empty()
                                              ? "is not known here"
                                              : "is not known: did you mean " + nearest + "?");
  }
}

}  // namespace prewarm::controller
