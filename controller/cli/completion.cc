#include "controller/cli/completion.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/nearest.h"

namespace prewarm::ctl {
namespace {

struct Word {
  std::string text;
  std::string help;
};

// What may follow after some commands: `at` is "", "get" or "get nodes".
struct Place {
  std::string at;
  std::vector<Word> commands;
  std::vector<Word> options;                                             // "--nodes"
  std::vector<std::pair<std::string, std::vector<std::string>>> values;  // "--output": its choices
  std::vector<std::string> choices;  // of what stands alone, as the shell of completion
};

// "text|json|yaml" names all that may be said.
std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const auto type = option.get_type_name();
  std::vector<std::string> choices;
  if (type.find('|') == std::string::npos) return choices;
  for (std::size_t begin = 0; begin <= type.size();) {
    const auto end = std::min(type.find('|', begin), type.size());
    choices.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  return choices;
}

// The first line, without what a shell would read into it.
std::string PlainHelp(const std::string& help) {
  std::string plain = help.substr(0, help.find('\n'));
  std::erase_if(plain, [](char c) {
    return c == '\'' || c == '"' || c == '[' || c == ']' || c == '\\' || c == ':' || c == '`';
  });
  return plain;
}

void AddOptions(const CLI::App& app, Place& place) {
  for (const auto* option : app.get_options()) {
    if (option->get_positional()) {
      place.choices = ChoicesOf(*option);
      continue;
    }
    for (const auto& name : option->get_lnames()) {
      place.options.push_back({"--" + name, PlainHelp(option->get_description())});
      auto choices = ChoicesOf(*option);
      if (!choices.empty()) place.values.emplace_back("--" + name, choices);
      for (const auto& letter : option->get_snames()) {
        if (!choices.empty()) place.values.emplace_back("-" + letter, choices);
      }
    }
  }
}

void AddPlaces(const CLI::App& app, const std::string& at, std::vector<Place>& places) {
  Place place;
  place.at = at;
  for (const auto* level = &app; level != nullptr; level = level->get_parent()) {
    AddOptions(*level, place);
  }
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* command : commands) {
    place.commands.push_back({command->get_name(), PlainHelp(command->get_description())});
  }
  places.push_back(std::move(place));
  for (const auto* command : commands) {
    AddPlaces(*command, at + (at.empty() ? "" : " ") + command->get_name(), places);
  }
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string Texts(const std::vector<Word>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

// Where the words before the cursor lead: a shell loop that walks the places. `$at` is the result.
std::string Walk(const std::vector<Place>& places, const char* indent) {
  std::string cases;
  for (const auto& place : places) {
    for (const auto& command : place.commands) {
      cases += std::string(indent) + "\"" + place.at + "|" + command.text + "\") at=\"" + place.at +
               (place.at.empty() ? "" : " ") + command.text + "\" ;;\n";
    }
  }
  return cases;
}

// Choices of options by what stands before the cursor; the same everywhere that an option is known.
std::string Values(const std::vector<Place>& places, const char* format_begin,
                   const char* format_end) {
  std::vector<std::pair<std::string, std::string>> seen;
  for (const auto& place : places) {
    for (const auto& [option, choices] : place.values) {
      const std::pair<std::string, std::string> entry(option, Joined(choices));
      if (std::ranges::find(seen, entry) == seen.end()) seen.push_back(entry);
    }
  }
  std::string cases;
  for (const auto& [option, choices] : seen) {
    cases += "    " + option + ") " + format_begin + choices + format_end + "\n";
  }
  return cases;
}

std::string Bash(const std::vector<Place>& places) {
  std::string text =
      "# bash completion of prewarmctl\n"
      "_prewarmctl() {\n"
      "  local at=\"\" word words=\"\" current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"$at|$word\" in\n" +
      Walk(places, "      ") +
      "    esac\n"
      "  done\n"
      "  case \"${COMP_WORDS[COMP_CWORD-1]}\" in\n" +
      Values(places, "mapfile -t COMPREPLY < <(compgen -W \"", R"(" -- "$current"); return ;;)") +
      "    --config|--ca|--token-file) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); "
      "return "
      ";;\n"
      "  esac\n"
      "  case \"$at\" in\n";
  for (const auto& place : places) {
    text += "    \"" + place.at + "\") words=\"" + Texts(place.commands) +
            (place.choices.empty() ? "" : Joined(place.choices)) +
            "\"\n"
            "      [[ $current == -* ]] && words=\"" +
            Texts(place.options) + "\" ;;\n";
  }
  return text +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "}\n"
         "complete -F _prewarmctl prewarmctl\n";
}

std::string ZshList(const std::vector<Word>& words) {
  std::string text;
  for (const auto& word : words) text += " '" + word.text + ":" + word.help + "'";
  return text;
}

std::string Zsh(const std::vector<Place>& places) {
  std::string text =
      "#compdef prewarmctl\n"
      "_prewarmctl() {\n"
      "  local at=\"\" word current=\"${words[CURRENT]}\"\n"
      "  local -a choices\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
      "    case \"$at|$word\" in\n" +
      Walk(places, "      ") +
      "    esac\n"
      "  done\n"
      "  case \"${words[CURRENT-1]}\" in\n" +
      Values(places, "compadd -- ", "; return ;;") +
      "    --config|--ca|--token-file) _files; return ;;\n"
      "  esac\n"
      "  case \"$at\" in\n";
  for (const auto& place : places) {
    text += "    \"" + place.at +
            "\")\n"
            "      if [[ $current == -* ]]; then choices=(" +
            ZshList(place.options) +
            " )\n"
            "      else choices=(" +
            ZshList(place.commands);
    for (const auto& choice : place.choices) text += " '" + choice + "'";
    text += " )\n      fi ;;\n";
  }
  return text +
         "  esac\n"
         "  _describe 'prewarmctl' choices\n"
         "}\n"
         "if [[ \"${funcstack[1]}\" == _prewarmctl ]]; then _prewarmctl \"$@\"\n"
         "else compdef _prewarmctl prewarmctl; fi\n";
}

std::string Fish(const std::vector<Place>& places) {
  std::string text =
      "# fish completion of prewarmctl\n"
      "function __prewarmctl_at\n"
      "  set -l at ''\n"
      "  set -l words (commandline -opc)\n"
      "  for word in $words[2..-1]\n"
      "    switch \"$at|$word\"\n";
  for (const auto& place : places) {
    for (const auto& command : place.commands) {
      text += "      case '" + place.at + "|" + command.text + "'\n        set at '" + place.at +
              (place.at.empty() ? "" : " ") + command.text + "'\n";
    }
  }
  text +=
      "    end\n"
      "  end\n"
      "  test \"$at\" = \"$argv[1]\"\n"
      "end\n"
      "complete -c prewarmctl -f\n";
  const auto begin = [](const Place& place) {
    return "complete -c prewarmctl -n '__prewarmctl_at \"" + place.at + "\"' ";
  };
  for (const auto& place : places) {
    for (const auto& command : place.commands) {
      text += begin(place) + "-a '" + command.text + "' -d '" + command.help + "'\n";
    }
    if (!place.choices.empty()) text += begin(place) + "-a '" + Joined(place.choices) + "'\n";
    for (const auto& option : place.options) {
      text += begin(place) + "-l " + option.text.substr(2) + " -d '" + option.help + "'";
      for (const auto& [name, choices] : place.values) {
        if (name == option.text) text += " -x -a '" + Joined(choices) + "'";
      }
      text += "\n";
    }
  }
  return text;
}

}  // namespace

Result<std::string> CompletionScript(const CLI::App& app, const std::string& shell) {
  std::vector<Place> places;
  AddPlaces(app, "", places);
  if (shell == "bash") return Bash(places);
  if (shell == "zsh") return Zsh(places);
  if (shell == "fish") return Fish(places);
  const std::vector<std::string> known{"bash", "zsh", "fish"};
  const auto nearest = NearestWord(shell, known);
  return Fail(ErrorCode::kInvalidArgument,
              "completion for " +
                  (shell.empty() ? "which shell?" : "\"" + shell + "\" is unknown:") +
                  (nearest.empty() ? " bash, zsh or fish" : " did you mean " + nearest + "?"));
}

}  // namespace prewarm::ctl
