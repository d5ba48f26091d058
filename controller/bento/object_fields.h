// Reads the fields of an object of the Kubernetes API one by one: tolerant of what is unknown or
// absent (null is absent), strict about the type and the size of what is read. What is wrong
// becomes a problem with the path of the field, and reads as absent. Pure.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/bento/objects.h"

namespace prewarm::controller::bento {

inline constexpr std::size_t kMaxTextBytes = 4096;

class ObjectFields {
 public:
  // `path` names the object in problems; empty for the document. Object and problems outlive this.
  ObjectFields(const boost::json::object& object, std::string path, Problems& problems)
      : object_(object), path_(std::move(path)), problems_(problems) {}

  // What an absent object is.
  static const boost::json::object& None();

  // "" if absent. Longer than `most` is a problem, not a shorter text.
  std::string Text(std::string_view name, std::size_t most = kMaxTextBytes);
  // A whole number from `least` to `most`.
  std::optional<std::int64_t> Integer(std::string_view name, std::int64_t least, std::int64_t most);
  // A size as Kubernetes writes it: "16Gi", "1300M", 1024.
  std::optional<std::uint64_t> Bytes(std::string_view name);
  // Members that are texts and that `keep` (name -> bool) wants.
  template <class Keep>
  TextMap Texts(std::string_view name, Keep keep) {
    TextMap texts;
    const auto* object = FindObject(name);
    if (object == nullptr) return texts;
    for (const auto& member : *object) {
      const std::string_view key(member.key().data(), member.key().size());
      if (keep(key)) AddText(PathOf(name), key, member.value(), texts);
    }
    return texts;
  }
  // An object that is absent has no fields.
  ObjectFields Object(std::string_view name);
  const boost::json::object* FindObject(std::string_view name);
  // Calls `each` with every object of a list, and at most `most` of them.
  template <class Each>
  void Objects(std::string_view name, std::size_t most, Each each) {
    const auto* list = FindList(name, most);
    for (std::size_t i = 0; list != nullptr && i < list->size() && i < most; ++i) {
      auto place = PathOf(name) + "[" + std::to_string(i) + "]";
      if (const auto* object = (*list)[i].if_object()) {
        each(ObjectFields(*object, std::move(place), problems_));
      } else {
        Mismatch(place, "an object", (*list)[i]);
      }
    }
  }
  // The texts of a list, and at most `most` of them.
  template <class Each>
  void TextList(std::string_view name, std::size_t most, Each each) {
    const auto* list = FindList(name, most);
    for (std::size_t i = 0; list != nullptr && i < list->size() && i < most; ++i) {
      const auto place = PathOf(name) + "[" + std::to_string(i) + "]";
      if (auto text = AsText((*list)[i], place, kMaxTextBytes)) each(std::move(*text));
    }
  }

  [[nodiscard]] const boost::json::object& object() const { return object_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string PathOf(std::string_view name) const;
  [[nodiscard]] const boost::json::value* Find(std::string_view name) const;
  Problems& problems() { return problems_; }

  std::optional<std::string> AsText(const boost::json::value& value, const std::string& place,
                                    std::size_t most);
  void Mismatch(const std::string& place, std::string_view expected,
                const boost::json::value& value);

 private:
  const boost::json::array* FindList(std::string_view name, std::size_t most);
  void AddText(const std::string& place, std::string_view key, const boost::json::value& value,
               TextMap& texts);

  const boost::json::object& object_;
  std::string path_;
  Problems& problems_;
};

// A quantity in whole bytes, rounded up; nothing if it is none, negative or beyond 2^63.
std::optional<std::uint64_t> QuantityBytes(std::string_view text);

// What a message calls the value: "a text", "a number", …
std::string_view JsonKindName(const boost::json::value& value);

// Annotations that we read; everything else is dropped, because it may be large.
bool IsOurAnnotation(std::string_view key);

// Of metadata, apiVersion and kind. Nothing without a name that can be one.
std::optional<ObjectRef> ReadObjectRef(const boost::json::object& object,
                                       std::string_view default_kind);

}  // namespace prewarm::controller::bento
