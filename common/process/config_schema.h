// What a program can be configured with, as a list of keys. Each key exists once: the same entry
// reads a line of the YAML file, takes a command-line option of the same name, prints the value in
// force and explains it. Nothing here knows YAML.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace prewarm {

// Where a key's value lives and how it is written. Texts are those of common/base/units.h; what a
// getter returns, its setter takes. Setters return kInvalidArgument with what is expected.
struct ConfigField {
  enum class Form : std::uint8_t { kText, kList, kMap };
  Form form = Form::kText;
  std::string type;  // for --help: SIZE, N, …
  // kText: one text; kList: the items; kMap: "name=value" items in order of names.
  std::function<Status(const std::vector<std::string>&)> set;
  std::function<std::vector<std::string>()> get;
};

ConfigField TextField(std::string& value, std::string type = "TEXT");
ConfigField FlagField(bool& value);                                        // true, false
ConfigField SizeField(std::uint64_t& value, std::uint64_t bare_unit = 1);  // more than zero
ConfigField CountField(std::size_t& value, std::size_t least, std::size_t most);
ConfigField DurationField(std::chrono::nanoseconds& value);  // not negative
ConfigField RatioField(double& value);                       // 0 up to but not 1
ConfigField RateField(std::uint64_t& bytes_per_second);      // Mbit/s as text; 0: no limit
ConfigField ListField(std::vector<std::string>& value, std::string type = "TEXT");
ConfigField MapField(std::map<std::string, std::string>& value);
ConfigField ChoiceField(std::string& value, const std::vector<std::string>& choices);

struct ConfigKey {
  std::string name;
  std::string help;
  ConfigField field;
};

struct ConfigSection {
  std::string name;
  std::string help;
  std::vector<ConfigKey> keys;
  // Set where the section's entries are things that the user names, each with keys of its own
  // ("volumes: {models: {…}}"): the keys of the entry `name`, created by the call if it is new.
  std::function<std::vector<ConfigKey>(const std::string& name)> entry;
  std::function<std::vector<std::string>()> entries;  // the names that exist
};

using ConfigSchema = std::vector<ConfigSection>;

// nullptr if no section has the key.
const ConfigKey* FindKey(const ConfigSchema& schema, std::string_view name);

// Problems found one by one and told together.
class Problems {
 public:
  void Add(std::string problem) { list_.push_back(std::move(problem)); }
  void Add(std::string_view where, const Status& status);
  [[nodiscard]] bool empty() const { return list_.empty(); }
  // OK, or one error with a line per problem.
  [[nodiscard]] Status ToStatus(ErrorCode code) const;

 private:
  std::vector<std::string> list_;
};

}  // namespace prewarm
