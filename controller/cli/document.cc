#include "controller/cli/document.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace prewarm::ctl {
namespace {

namespace json = boost::json;
namespace pb = google::protobuf;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// PREWARM_STATE_RUNNING of enum PrewarmState is "running".
std::string EnumWord(const pb::EnumValueDescriptor& value) {
  const auto& type = value.type()->name();
  std::size_t prefix = 0;  // the type's name in capitals with underscores
  for (std::size_t i = 0; i < type.size(); ++i) {
    prefix += i > 0 && type[i] >= 'A' && type[i] <= 'Z' ? 2 : 1;
  }
  std::string word =
      value.name().size() > prefix + 1 ? value.name().substr(prefix + 1) : value.name();
  std::ranges::transform(word, word.begin(), Lower);
  return word;
}

json::value MessageValue(const pb::Message& message) {
  if (message.GetDescriptor() == pb::Timestamp::descriptor()) {
    return json::string(pb::util::TimeUtil::ToString(static_cast<const pb::Timestamp&>(message)));
  }
  if (message.GetDescriptor() == pb::Duration::descriptor()) {
    const auto& duration = static_cast<const pb::Duration&>(message);
    // Whole seconds, rounded up: exponents of doubles are texts to some readers of YAML.
    return duration.seconds() + (duration.nanos() > 0 ? 1 : 0);
  }
  return ToDocument(message);
}

// `index` is that of a repeated field, -1 of a single one.
json::value FieldValue(const pb::Message& message, const pb::FieldDescriptor& field, int index) {
  const auto& reflection = *message.GetReflection();
  const auto get = [&](auto single, auto repeated) {
    return index < 0 ? (reflection.*single)(message, &field)
                     : (reflection.*repeated)(message, &field, index);
  };
  using R = pb::Reflection;
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32: return get(&R::GetInt32, &R::GetRepeatedInt32);
    case pb::FieldDescriptor::CPPTYPE_INT64: return get(&R::GetInt64, &R::GetRepeatedInt64);
    case pb::FieldDescriptor::CPPTYPE_UINT32: return get(&R::GetUInt32, &R::GetRepeatedUInt32);
    case pb::FieldDescriptor::CPPTYPE_UINT64: return get(&R::GetUInt64, &R::GetRepeatedUInt64);
    case pb::FieldDescriptor::CPPTYPE_DOUBLE: return get(&R::GetDouble, &R::GetRepeatedDouble);
    case pb::FieldDescriptor::CPPTYPE_FLOAT: return get(&R::GetFloat, &R::GetRepeatedFloat);
    case pb::FieldDescriptor::CPPTYPE_BOOL: return get(&R::GetBool, &R::GetRepeatedBool);
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return json::string(get(&R::GetString, &R::GetRepeatedString));
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return json::string(EnumWord(*get(&R::GetEnum, &R::GetRepeatedEnum)));
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageValue(index < 0 ? reflection.GetMessage(message, &field)
                                    : reflection.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

// Of texts to texts, the only kind in the API; sorted by name.
json::object MapValue(const pb::Message& message, const pb::FieldDescriptor& field) {
  std::vector<std::pair<std::string, std::string>> entries;
  const int count = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < count; ++i) {
    const auto& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
    const auto text = [&](const pb::FieldDescriptor* part) {
      return entry.GetReflection()->GetString(entry, part);
    };
    entries.emplace_back(text(field.message_type()->map_key()),
                         text(field.message_type()->map_value()));
  }
  std::ranges::sort(entries);
  json::object object;
  for (const auto& [name, value] : entries) object.emplace(name, value);
  return object;
}

void AppendIndented(const json::value& value, std::size_t depth, std::string& text) {
  const auto line = [&](std::size_t level) { text += "\n" + std::string(2 * level, ' '); };
  const auto* object = value.if_object();
  const auto* array = value.if_array();
  if ((object == nullptr || object->empty()) && (array == nullptr || array->empty())) {
    text += json::serialize(value);
    return;
  }
  text += object != nullptr ? "{" : "[";
  bool first = true;
  const auto begin_item = [&] {
    text += first ? "" : ",";
    first = false;
    line(depth + 1);
  };
  if (object != nullptr) {
    for (const auto& entry : *object) {
      begin_item();
      text += json::serialize(json::string(entry.key())) + ": ";
      AppendIndented(entry.value(), depth + 1, text);
    }
  } else {
    for (const auto& item : *array) {
      begin_item();
      AppendIndented(item, depth + 1, text);
    }
  }
  line(depth);
  text += object != nullptr ? "}" : "]";
}

void EmitText(YAML::Emitter& out, std::string_view text) {
  // A plain word that no version of YAML reads as something else.
  constexpr std::array<std::string_view, 10> kWords{"null", "true", "false", "yes", "no",
                                                    "on",   "off",  "y",     "n",   "nan"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const bool plain =
      !text.empty() && letter(text.front()) && std::ranges::all_of(text, [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '/';
      });
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), Lower);
  if (plain && std::ranges::find(kWords, lower) == kWords.end()) {
    out << std::string(text);
  } else {
    out << YAML::DoubleQuoted << std::string(text);
  }
}

void Emit(YAML::Emitter& out, const json::value& value) {
  if (const auto* object = value.if_object()) {
    if (object->empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& entry : *object) {
      out << YAML::Key;
      EmitText(out, std::string_view(entry.key().data(), entry.key().size()));
      out << YAML::Value;
      Emit(out, entry.value());
    }
    out << YAML::EndMap;
  } else if (const auto* array = value.if_array()) {
    if (array->empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const auto& item : *array) Emit(out, item);
    out << YAML::EndSeq;
  } else if (const auto* text = value.if_string()) {
    EmitText(out, std::string_view(text->data(), text->size()));
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << json::serialize(value);  // numbers and truth values read the same in both
  }
}

}  // namespace

json::value ToDocument(const pb::Message& message) {
  json::object object;
  const auto& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto& field = *descriptor.field(i);
    const json::string_view name(field.name());
    if (field.is_map()) {
      object.emplace(name, MapValue(message, field));
    } else if (field.is_repeated()) {
      json::array items;
      for (int at = 0; at < message.GetReflection()->FieldSize(message, &field); ++at) {
        items.push_back(FieldValue(message, field, at));
      }
      object.emplace(name, std::move(items));
    } else if (field.has_presence() && !message.GetReflection()->HasField(message, &field)) {
      object.emplace(name, nullptr);
    } else {
      object.emplace(name, FieldValue(message, field, -1));
    }
  }
  return object;
}

std::string ToJsonLine(const json::value& document) { return json::serialize(document); }

std::string ToJsonText(const json::value& document) {
  std::string text;
  AppendIndented(document, 0, text);
  return text + "\n";
}

std::string ToYamlText(const json::value& document) {
  YAML::Emitter out;
  Emit(out, document);
  return std::string(out.c_str()) + "\n";
}

}  // namespace prewarm::ctl
