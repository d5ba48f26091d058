// Looks into JSON that others wrote: a member of the wrong type is the same as none. Pure.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

namespace prewarm::controller::kube {

// Custom resources may nest a schema in a schema; what is deeper is no object of ours.
inline constexpr std::size_t kMostJsonDepth = 128;

inline const boost::json::object* ObjectIn(const boost::json::object& object,
                                           std::string_view name) {
  const auto* member = object.if_contains({name.data(), name.size()});
  return member == nullptr ? nullptr : member->if_object();
}

inline const boost::json::array* ArrayIn(const boost::json::object& object, std::string_view name) {
  const auto* member = object.if_contains({name.data(), name.size()});
  return member == nullptr ? nullptr : member->if_array();
}

// Lives as long as the object; empty where there is none.
inline std::string_view TextIn(const boost::json::object& object, std::string_view name) {
  const auto* member = object.if_contains({name.data(), name.size()});
  const auto* text = member == nullptr ? nullptr : member->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

}  // namespace prewarm::controller::kube
