// Names that objects give to models and directories. All of them are untrusted: what comes out of
// here is safe to put into a path of a volume. Every refusal quotes the name, shortened. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace prewarm::controller::bento {

struct ModelTag {
  std::string repository;
  std::string version;
  bool operator==(const ModelTag&) const = default;

  [[nodiscard]] std::string Text() const { return repository + ":" + version; }
};

// "name:version", both parts lower case as BentoML has them. kInvalidArgument, also for "latest",
// which is an alias that only a store can resolve.
Result<ModelTag> ParseModelTag(std::string_view text);

// One part of a path: not empty, not over-long, not "." or "..", no "/" and no control characters.
Status CheckPathPart(std::string_view part);
// Parts joined by "/", a leading and trailing "/" dropped. "" only from "/" and "".
Result<std::string> CleanPath(std::string_view path);
// The directory that keeps the models of one tenant; not one that begins with a dot.
Status CheckStorageNamespace(std::string_view name);

// "a/b" from "a" and "b"; either may be empty.
std::string JoinPath(std::string_view above, std::string_view below);
// Whether `path` is `directory` or lies below it; "" holds everything.
bool IsWithin(std::string_view path, std::string_view directory);

// For messages: at most 80 bytes, printable.
std::string Quoted(std::string_view name);

}  // namespace prewarm::controller::bento
