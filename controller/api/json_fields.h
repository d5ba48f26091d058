// JSON read strictly: one object's fields are taken by name and by type, and everything that is
// wrong, an unknown field among it, is told with the path of the field. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "controller/api/problem.h"
#include "controller/api/spec_rules.h"

namespace prewarm::controller {

// kInvalid "malformed-json": where it stops being JSON.
ApiResult<boost::json::value> ParseJson(std::string_view text);

// "a text", "a number", …: what a message calls the value.
std::string_view JsonKindName(const boost::json::value& value);

// The getters answer nothing if the field is absent, and if it is wrong, which they then tell.
class JsonFields {
 public:
  // `path`: of the object; empty for the document. The object and `problems` outlive this.
  JsonFields(const boost::json::object& object, std::string path, FieldProblems& problems);

  [[nodiscard]] bool Has(std::string_view name) const { return object_.contains(Key(name)); }
  std::optional<std::string> Text(std::string_view name);
  std::optional<bool> Flag(std::string_view name);
  std::optional<std::int64_t> Integer(std::string_view name, std::int64_t least, std::int64_t most);
  // RFC 3339; null is absent.
  std::optional<WallTime> Time(std::string_view name);
  std::optional<std::vector<std::string>> TextList(std::string_view name);
  std::optional<std::map<std::string, std::string>> TextMap(std::string_view name);
  std::optional<JsonFields> Object(std::string_view name);
  // After the last getter: tells of the fields that none has asked for.
  void Finish();

 private:
  static boost::json::string_view Key(std::string_view name) { return {name.data(), name.size()}; }
  const boost::json::value* Take(std::string_view name);
  [[nodiscard]] std::string PathOf(std::string_view name) const;
  void Mismatch(std::string path, std::string_view expected, const boost::json::value& value);

  const boost::json::object& object_;
  std::string path_;
  FieldProblems& problems_;
  std::vector<std::string> known_;  // asked for
};

}  // namespace prewarm::controller
