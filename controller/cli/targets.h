// What to warm and where, as it is written on the command line. Pure.
#pragma once

#include <prewarm/v1/prewarm.pb.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace prewarm::ctl {

struct Target {
  std::string volume;
  std::string path;  // empty: the whole volume
  bool operator==(const Target&) const = default;
};

// "models:llama/current"; "models" and "models:" are the whole volume.
Result<Target> ParseTarget(std::string_view text);

// Sets volume and paths. All targets must be of one volume, and the whole of it stands alone.
Status SetTargets(const std::vector<std::string>& texts, v1::PrewarmSpec& spec);

// "gpu-1,gpu-2" (names, any of which) or "zone=a,gpu=h100" (labels, all of which).
Status SetNodes(std::string_view text, v1::NodeSelector& nodes);

}  // namespace prewarm::ctl
