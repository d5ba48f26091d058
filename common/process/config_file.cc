#include "common/process/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "common/base/nearest.h"
#include "common/base/units.h"

namespace prewarm {
namespace {

constexpr std::size_t kFileLimit = 1_MiB;

class Reader {
 public:
  Reader(const std::string& name, Problems& problems) : name_(name), problems_(problems) {}

  void Read(const ConfigSchema& schema, const YAML::Node& root) {
    std::vector<std::string> known;
    for (const auto& section : schema) known.push_back(section.name);
    ForEachEntry(root, "", "a map of sections",
                 [&](const auto& name, const auto& mark, const auto& value) {
                   const auto at = std::ranges::find(schema, name, &ConfigSection::name);
                   if (at == schema.end()) return Unknown(mark, name, known);
                   if (value.IsNull()) return;  // "volumes:" with everything below commented out
                   if (at->entry) {
                     ReadEntries(*at, value);
                   } else {
                     ReadKeys(at->keys, at->name + ".", value);
                   }
                 });
  }

 private:
  void Add(const YAML::Mark& mark, const std::string& problem) {
    problems_.Add(name_ + ":" + std::to_string(mark.line + 1) + ": " + problem);
  }

  void Unknown(const YAML::Mark& mark, const std::string& name,
               const std::vector<std::string>& known) {
    const auto nearest = NearestWord(name, known);
    Add(mark, "unknown key " + name + (nearest.empty() ? "" : ": did you mean " + nearest + "?"));
  }

  template <class Body>
  void ForEachEntry(const YAML::Node& node, const std::string& path, const char* expected,
                    Body body) {
    if (!node.IsMap()) {
      const auto name = path.empty() ? "the file" : path.substr(0, path.size() - 1);
      return Add(node.Mark(), name + " must be " + expected);
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const auto mark = entry.first.Mark();
      if (!entry.first.IsScalar()) {
        Add(mark, "a key must be a word");
        continue;
      }
      const std::string& name = entry.first.Scalar();
      if (!seen.insert(name).second) {
        Add(mark, path + name + " is given twice");
        continue;
      }
      body(name, mark, entry.second);
    }
  }

  void ReadEntries(const ConfigSection& section, const YAML::Node& node) {
    ForEachEntry(node, section.name + ".", "a map of names",
                 [&](const auto& name, const auto&, const auto& value) {
                   const auto keys = section.entry(name);
                   if (!value.IsNull()) ReadKeys(keys, section.name + "." + name + ".", value);
                 });
  }

  void ReadKeys(const std::vector<ConfigKey>& keys, const std::string& path,
                const YAML::Node& node) {
    std::vector<std::string> known;
    known.reserve(keys.size());
    for (const auto& key : keys) known.push_back(path + key.name);
    ForEachEntry(node, path, "a map of keys",
                 [&](const auto& name, const auto& mark, const auto& value) {
                   const auto at = std::ranges::find(keys, name, &ConfigKey::name);
                   if (at == keys.end()) return Unknown(mark, path + name, known);
                   ReadValue(*at, path + name, mark, value);
                 });
  }

  void ReadValue(const ConfigKey& key, const std::string& path, const YAML::Mark& mark,
                 const YAML::Node& value) {
    std::vector<std::string> texts;
    if (!TextsOf(key.field.form, value, texts)) {
      constexpr std::array kShapes{"one value (leave the line out for the default)",
                                   "a list of values", "a map of names to values"};
      return Add(mark, path + " must be " + kShapes.at(static_cast<std::size_t>(key.field.form)));
    }
    if (const auto status = key.field.set(texts); !status) {
      Add(mark, path + ": " + status.error().message);
    }
  }

  static bool TextsOf(ConfigField::Form form, const YAML::Node& value,
                      std::vector<std::string>& texts) {
    if (value.IsScalar() && form != ConfigField::Form::kMap) {
      texts.push_back(value.Scalar());
      return true;
    }
    if (form == ConfigField::Form::kList && value.IsSequence()) {
      for (const auto& item : value) {
        if (!item.IsScalar()) return false;
        texts.push_back(item.Scalar());
      }
      return true;
    }
    if (form == ConfigField::Form::kMap && value.IsMap()) {
      for (const auto& item : value) {
        if (!item.first.IsScalar() || !item.second.IsScalar()) return false;
        texts.push_back(item.first.Scalar() + "=" + item.second.Scalar());
      }
      return true;
    }
    return false;
  }

  const std::string& name_;
  Problems& problems_;
};

// As YAML in one line; quoted unless it is plainly a word or a number with a unit.
std::string Quoted(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '/' || c == '_';
  });
  const bool octal = text.size() > 1 && text[0] == '0' && text[1] != '.';
  if (plain && !octal && text != "null") return text;
  YAML::Emitter out;
  out << YAML::DoubleQuoted << text;
  return out.c_str();
}

std::string ValueText(const ConfigField& field) {
  const auto texts = field.get();
  if (field.form == ConfigField::Form::kText) return Quoted(texts.at(0));
  std::string items;
  for (const auto& text : texts) {
    if (!items.empty()) items += ", ";
    if (const auto equals = text.find('='); field.form == ConfigField::Form::kMap) {
      items += Quoted(text.substr(0, equals)) + ": " + Quoted(text.substr(equals + 1));
    } else {
      items += Quoted(text);
    }
  }
  return field.form == ConfigField::Form::kMap ? "{" + items + "}" : "[" + items + "]";
}

void PrintComment(std::string& out, const std::string& indent, const std::string& help) {
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) out += indent + "# " + line + "\n";
}

void PrintKeys(std::string& out, const std::string& indent, const std::vector<ConfigKey>& keys) {
  for (const auto& key : keys) {
    PrintComment(out, indent, key.help);
    out += indent + key.name + ": " + ValueText(key.field) + "\n";
  }
}

}  // namespace

void ReadConfigText(const ConfigSchema& schema, std::string_view text, const std::string& name,
                    Problems& problems) {
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    if (!root.IsNull()) Reader(name, problems).Read(schema, root);
  } catch (const YAML::Exception& e) {
    problems.Add(name + ":" + std::to_string(e.mark.line + 1) + ": " + e.msg);
  }
}

void ReadConfigFile(const ConfigSchema& schema, const std::string& path, Problems& problems) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return problems.Add(path + ": there is no such file that can be read");
  std::string text(kFileLimit + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.gcount() == 0 && !file.eof())) {
    return problems.Add(path + ": cannot be read: is it a file?");
  }
  if (file.gcount() > static_cast<std::streamsize>(kFileLimit)) {
    return problems.Add(path + ": is larger than 1 MiB: is it a configuration?");
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  ReadConfigText(schema, text, path, problems);
}

std::string PrintConfig(const ConfigSchema& schema) {
  std::string out;
  for (const auto& section : schema) {
    if (!out.empty()) out += "\n";
    PrintComment(out, "", section.help);
    out += section.name + ":\n";
    if (!section.entry) {
      PrintKeys(out, "  ", section.keys);
      continue;
    }
    for (const auto& name : section.entries()) {
      out += "  " + Quoted(name) + ":\n";
      PrintKeys(out, "    ", section.entry(name));
    }
  }
  return out;
}

}  // namespace prewarm
