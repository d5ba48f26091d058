#include "common/process/config_schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

#include "common/base/units.h"

namespace prewarm {
namespace {

Error NotAsExpected(std::string_view text, std::string_view expected) {
  return Fail(ErrorCode::kInvalidArgument,
              "\"" + std::string(text) + "\" is not " + std::string(expected));
}

// A field of one text, from functions on that text.
template <class Set, class Get>
ConfigField OneText(std::string type, const Set& set, const Get& get) {
  return {ConfigField::Form::kText, std::move(type),
          [set](const std::vector<std::string>& values) -> Status { return set(values.at(0)); },
          [get]() -> std::vector<std::string> { return {get()}; }};
}

}  // namespace

ConfigField TextField(std::string& value, std::string type) {
  return OneText(
      std::move(type),
      [&value](const std::string& text) -> Status {
        value = text;
        return {};
      },
      [&value] { return value; });
}

ConfigField FlagField(bool& value) {
  return OneText(
      "BOOL",
      [&value](const std::string& text) -> Status {
        if (text != "true" && text != "false") return NotAsExpected(text, "true or false");
        value = text == "true";
        return {};
      },
      [&value] { return std::string(value ? "true" : "false"); });
}

ConfigField SizeField(std::uint64_t& value, std::uint64_t bare_unit) {
  return OneText(
      "SIZE",
      [&value, bare_unit](const std::string& text) -> Status {
        TRY(const auto bytes, ParseSize(text, bare_unit));
        if (bytes == 0) return Fail(ErrorCode::kInvalidArgument, "must be more than zero");
        value = bytes;
        return {};
      },
      [&value] { return ExactSize(value); });
}

ConfigField CountField(std::size_t& value, std::size_t least, std::size_t most) {
  return OneText(
      "N",
      [&value, least, most](const std::string& text) -> Status {
        std::size_t count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        if (error != std::errc{} || end != text.data() + text.size() || count < least ||
            count > most) {
          return NotAsExpected(
              text, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
        }
        value = count;
        return {};
      },
      [&value] { return std::to_string(value); });
}

ConfigField DurationField(std::chrono::nanoseconds& value) {
  return OneText(
      "DURATION",
      [&value](const std::string& text) -> Status {
        TRY(const auto duration, ParseDuration(text));
        if (duration < std::chrono::nanoseconds::zero()) {
          return Fail(ErrorCode::kInvalidArgument, "must not be negative");
        }
        value = duration;
        return {};
      },
      [&value] { return ExactDuration(value); });
}

ConfigField RatioField(double& value) {
  return OneText(
      "RATIO",
      [&value](const std::string& text) -> Status {
        double ratio = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ratio);
        if (error != std::errc{} || end != text.data() + text.size() ||
            !(ratio >= 0 && ratio < 1)) {
          return NotAsExpected(text, "a ratio from 0 up to (but not) 1, such as 0.1");
        }
        value = ratio;
        return {};
      },
      [&value] {
        std::array<char, 32> text{};
        const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
        return std::string(text.data(), end);
      });
}

ConfigField RateField(std::uint64_t& bytes_per_second) {
  return OneText(
      "RATE",
      [&bytes_per_second](const std::string& text) -> Status {
        TRY(bytes_per_second, ParseLinkRate(text));
        return {};
      },
      [&bytes_per_second] { return ExactLinkRate(bytes_per_second); });
}

ConfigField ListField(std::vector<std::string>& value, std::string type) {
  return {ConfigField::Form::kList, std::move(type),
          [&value](const std::vector<std::string>& items) -> Status {
            value = items;
            return {};
          },
          [&value] { return value; }};
}

ConfigField MapField(std::map<std::string, std::string>& value) {
  return {ConfigField::Form::kMap, "NAME=VALUE",
          [&value](const std::vector<std::string>& items) -> Status {
            value.clear();
            for (const auto& item : items) {
              const auto equals = item.find('=');
              if (equals == std::string::npos || equals == 0) {
                return NotAsExpected(item, "NAME=VALUE");
              }
              value.emplace(item.substr(0, equals), item.substr(equals + 1));
            }
            return {};
          },
          [&value] {
            std::vector<std::string> items;
            items.reserve(value.size());
            for (const auto& [name, text] : value) items.push_back(name + "=" + text);
            return items;
          }};
}

ConfigField ChoiceField(std::string& value, const std::vector<std::string>& choices) {
  std::string type;
  for (const auto& choice : choices) type += (type.empty() ? "" : "|") + choice;
  return OneText(
      type,
      [&value, choices, type](const std::string& text) -> Status {
        if (std::ranges::find(choices, text) == choices.end()) {
          return NotAsExpected(text, "one of " + type);
        }
        value = text;
        return {};
      },
      [&value] { return value; });
}

const ConfigKey* FindKey(const ConfigSchema& schema, std::string_view name) {
  for (const auto& section : schema) {
    for (const auto& key : section.keys) {
      if (key.name == name) return &key;
    }
  }
  return nullptr;
}

void Problems::Add(std::string_view where, const Status& status) {
  if (!status) Add(std::string(where) + ": " + status.error().message);
}

Status Problems::ToStatus(ErrorCode code) const {
  if (list_.empty()) return {};
  std::string text;
  for (const auto& problem : list_) text += (text.empty() ? "" : "\n") + problem;
  return Fail(code, text);
}

}  // namespace prewarm
