#include "common/process/config_options.h"

#include <vector>

#include "common/base/nearest.h"

namespace prewarm {
namespace {

// The subcommand of a subcommand … that was named last.
const CLI::App& Innermost(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

// The words that could have stood where `app` reads: its own and, for options, those above it.
std::vector<std::string> KnownWords(const CLI::App& app) {
  std::vector<std::string> known;
  for (const auto* level = &app; level != nullptr; level = level->get_parent()) {
    for (const auto* option : level->get_options()) {
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    }
  }
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    known.push_back(command->get_name());
  }
  return known;
}

// "unknown option --cache-dirr: did you mean --cache-dir?"
std::string UnknownWord(const std::string& word, const CLI::App& app) {
  const auto bare = word.substr(0, word.find('='));
  const auto nearest = NearestWord(bare, KnownWords(app));
  const bool has_commands = !app.get_subcommands([](const CLI::App*) { return true; }).empty();
  const std::string kind = word.starts_with("-") ? "option" : has_commands ? "command" : "word";
  return "unknown " + kind + " " + bare +
         (nearest.empty() ? "" : ": did you mean " + nearest + "?");
}

}  // namespace

void ConfigOptions::AddSection(CLI::App& app, std::string_view section, CLI::Option* excludes,
                               std::string_view free) {
  for (const auto& candidate : schema_) {
    if (candidate.name != section) continue;
    for (const auto& key : candidate.keys) {
      Add(app, key, key.name == free ? nullptr : excludes);
    }
  }
}

CLI::Option* ConfigOptions::Add(CLI::App& app, const ConfigKey& key, CLI::Option* excludes) {
  auto& given = given_.emplace_back(Given{&key, nullptr, ""});
  const auto name = "--" + key.name;
  if (key.field.type == "BOOL") {
    given.option = app.add_flag(name, key.help);
    return given.option;
  }
  const auto values = key.field.get();
  if (!values.empty()) given.text = values.front();
  given.option = app.add_option(name, given.text, key.help)->type_name(key.field.type);
  if (!given.text.empty()) given.option->capture_default_str();
  if (excludes != nullptr) given.option->excludes(excludes);
  return given.option;
}

void ConfigOptions::Apply(Problems& problems) const {
  for (const auto& [key, option, text] : given_) {
    if (option->count() == 0) continue;
    const auto value = key->field.type == "BOOL" ? "true" : text;
    problems.Add("--" + key->name, key->field.set({value}));
  }
}

Result<std::optional<std::string>> ReadWords(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return app.help();  // of the command, if one was named
  } catch (const CLI::CallForVersion&) {
    return app.version() + "\n";
  } catch (const CLI::ParseError& e) {
    return Fail(ErrorCode::kInvalidArgument, e.what());
  }
  std::string unknown;
  for (const auto& word : app.remaining(true)) {
    unknown += (unknown.empty() ? "" : "\n") + UnknownWord(word, Innermost(app));
  }
  if (!unknown.empty()) return Fail(ErrorCode::kInvalidArgument, unknown);
  return std::nullopt;
}

}  // namespace prewarm
