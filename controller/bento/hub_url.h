// hf://<model id>@<revision>@<endpoint>[@<include>[@<exclude>]]: how a Bento says which files of
// which commit of a Hugging Face repository it wants. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "controller/bento/glob.h"

namespace prewarm::controller::bento {

struct HubSelection {
  std::string model_id;  // "org/name" or "name"
  std::string revision;  // a commit, or a branch
  std::string endpoint;
  FileFilter files;
  bool operator==(const HubSelection&) const = default;

  // A commit names its snapshot; a branch does not.
  [[nodiscard]] bool HasCommit() const;
};

bool IsHubUrl(std::string_view url);
// kInvalidArgument: not of this form, or with a name that cannot be a path.
Result<HubSelection> ParseHubUrl(std::string_view url);

// The name of the repository's folder in a cache: "models--org--name".
std::string HubFolder(std::string_view model_id);

}  // namespace prewarm::controller::bento
