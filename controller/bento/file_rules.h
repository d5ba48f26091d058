// Which files of a model's directory are worth warming. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/bento/glob.h"

namespace prewarm::controller::bento {

// Patterns are about the name of one entry of a directory, not about paths. An operator may replace
// either list.
struct SkipRules {
  // What is never a model: locks, markers, unfinished downloads.
  std::vector<std::string> always = {".locks",   ".no_exist",    ".exists",
                                     "*.exists", "*.incomplete", "*.lock"};
  // The same weights in other formats: skipped where a *.safetensors lies beside them.
  std::vector<std::string> beside_safetensors = {"*.bin", "*.pth",  "*.pt",     "*.msgpack",
                                                 "*.h5",  "*.gguf", "original", "onnx"};
  bool operator==(const SkipRules&) const = default;

  [[nodiscard]] bool Skips(std::string_view name, bool safetensors_beside) const;
};

// What applies to the files of one plan: rules, and what a policy adds. The policy's patterns are
// about paths relative to the model's directory.
struct FileRules {
  SkipRules skip;
  FileFilter policy;
  bool operator==(const FileRules&) const = default;
};

}  // namespace prewarm::controller::bento
