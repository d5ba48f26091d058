#include "controller/bento/json_path.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace prewarm::controller::bento {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxSteps = 32;

Error Invalid(std::string_view text, std::string_view rest, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument,
              "\"" + std::string(text) + "\" is not a path such as spec.model.uri or " +
                  "metadata.labels['a/b']: " + std::string(why) + " at character " +
                  std::to_string(text.size() - rest.size() + 1));
}

// A member without quotes: everything up to the next "." or "[".
std::string_view TakeMember(std::string_view& rest) {
  const auto end = std::min(rest.find_first_of(".["), rest.size());
  const auto member = rest.substr(0, end);
  rest.remove_prefix(end);
  return member;
}

// ['member'], ["member"] or [3]; nothing if it is none of them.
std::optional<std::variant<std::string, std::size_t>> TakeBracket(std::string_view& rest) {
  rest.remove_prefix(1);
  if (!rest.empty() && (rest.front() == '\'' || rest.front() == '"')) {
    const auto end = rest.find(rest.front(), 1);
    if (end == std::string_view::npos || rest.substr(end + 1, 1) != "]") return std::nullopt;
    std::string member(rest.substr(1, end - 1));
    rest.remove_prefix(end + 2);
    return member;
  }
  std::size_t index = 0;
  const auto [at, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
  const auto length = static_cast<std::size_t>(at - rest.data());
  if (error != std::errc{} || rest.substr(length, 1) != "]") return std::nullopt;
  rest.remove_prefix(length + 1);
  return index;
}

// From an object, or from a list, which is then the value that it came from.
const json::value* StepInto(const json::object* object, const json::value* /*from*/,
                            const std::string& member) {
  return object == nullptr ? nullptr : object->if_contains(member);
}

const json::value* StepInto(const json::object* /*object*/, const json::value* from,
                            std::size_t index) {
  const auto* list = from == nullptr ? nullptr : from->if_array();
  return list == nullptr ? nullptr : list->if_contains(index);
}

}  // namespace

Result<JsonPath> JsonPath::Parse(std::string_view text) {
  JsonPath path;
  std::string_view rest = text;
  while (!rest.empty()) {
    if (path.steps_.size() == kMaxSteps) return Invalid(text, rest, "too many steps");
    path.holder_text_ = text.substr(0, text.size() - rest.size());
    if (rest.front() == '[') {
      const auto before = rest;
      auto step = TakeBracket(rest);
      const bool of_document = path.steps_.empty() && step && step->index() == 1;
      if (!step || of_document) return Invalid(text, before, "no such bracket");
      path.steps_.push_back(std::move(*step));
    } else {
      if (!path.steps_.empty()) {
        if (rest.front() != '.') return Invalid(text, rest, R"("." or "[" expected)");
        rest.remove_prefix(1);
      }
      const auto member = TakeMember(rest);
      if (member.empty()) return Invalid(text, rest, "a name expected");
      path.steps_.emplace_back(std::string(member));
    }
  }
  const auto* last = path.steps_.empty() ? nullptr : std::get_if<std::string>(&path.steps_.back());
  if (last == nullptr || last->empty()) return Invalid(text, rest, "it ends in no name");
  path.member_ = *last;
  path.steps_.pop_back();
  return path;
}

const json::object* JsonPath::Holder(const json::object& document) const {
  const json::object* holder = &document;
  const json::value* value = nullptr;
  for (const auto& step : steps_) {
    value = std::visit([&](const auto& at) { return StepInto(holder, value, at); }, step);
    if (value == nullptr) return nullptr;
    holder = value->if_object();
  }
  return holder;
}

}  // namespace prewarm::controller::bento
