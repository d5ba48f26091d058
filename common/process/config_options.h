// The command line's side of a program: options that set keys of its configuration, and one way to
// read words with CLI11 that suggests what a misspelt one may have meant.
#pragma once

#include <CLI/CLI.hpp>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/process/config_schema.h"

namespace prewarm {

// Options that set a key of the configuration and override its file.
class ConfigOptions {
 public:
  // The schema must outlive this, and this the parsing.
  explicit ConfigOptions(const ConfigSchema& schema) : schema_(schema) {}

  // Options for the keys of a section. All but the key `free` are refused together with the option
  // `excludes`, if there is one. CLI11 writes the default into help from the key's value.
  void AddSection(CLI::App& app, std::string_view section, CLI::Option* excludes = nullptr,
                  std::string_view free = "");
  CLI::Option* Add(CLI::App& app, const ConfigKey& key, CLI::Option* excludes = nullptr);

  // Sets the keys that were given.
  void Apply(Problems& problems) const;

 private:
  struct Given {
    const ConfigKey* key;
    CLI::Option* option;
    std::string text;
  };
  const ConfigSchema& schema_;
  std::deque<Given> given_;  // CLI11 keeps references to the texts
};

// Parses. What help or version say, if they were asked for. kInvalidArgument: what CLI11 found
// wrong, or all words that it could not place, each with a suggestion.
Result<std::optional<std::string>> ReadWords(CLI::App& app, int argc, const char* const* argv);

}  // namespace prewarm
