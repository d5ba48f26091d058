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

  // kInvalidArgument: quotes the path and the place where it stops making sense.
  static Result<JsonPath> Parse(std::string_view text);

  [[nodiscard]] bool empty() const { return steps_.empty(); }
  [[nodiscard]] const std::string& text() const { return text_; }
  // Null where nothing, or an explicit null, lies there.
  [[nodiscard]] const boost::json::value* Find(const boost::json::object& document) const;

  bool operator==(const JsonPath&) const = default;

 private:
  using Step = std::variant<std::string, std::size_t>;  // a member, or a place in a list

  std::string text_;
  std::vector<Step> steps_;
};

}  // namespace prewarm::controller::bento
