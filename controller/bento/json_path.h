// Where a value lies inside a JSON document, as configuration writes it: "spec.model.storageUri",
// "metadata.labels['yatai.ai/bento']", "spec.containers[0].image". Pure.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"

namespace prewarm::controller::bento {

class JsonPath {
 public:
  JsonPath() = default;  // names nothing

  // kInvalidArgument: quotes the path and the place where it stops making sense. The last step is a
  // member.
  static Result<JsonPath> Parse(std::string_view text);

  [[nodiscard]] bool empty() const { return member_.empty(); }
  // The object whose member() the path names; null if the document has none there.
  [[nodiscard]] const boost::json::object* Holder(const boost::json::object& document) const;
  [[nodiscard]] const std::string& member() const { return member_; }
  // What messages call the holder: the path without its last step; "" for the document.
  [[nodiscard]] const std::string& holder_text() const { return holder_text_; }

  bool operator==(const JsonPath&) const = default;

 private:
  using Step = std::variant<std::string, std::size_t>;  // a member, or a place in a list

  std::string holder_text_;
  std::vector<Step> steps_;  // to the holder
  std::string member_;
};

}  // namespace prewarm::controller::bento
