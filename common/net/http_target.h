// The target of an HTTP request taken apart: which path, which parameters. Pure, so that it can be
// fuzzed: whatever a peer sends ends here as values or as an error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace prewarm::net {

struct HttpTarget {
  std::string path;                   // decoded, for display: "/volumes/a/b" may have had "a%2Fb"
  std::vector<std::string> segments;  // the path split first, then decoded: "volumes", "a/b"
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order, repeats kept

  // The first value of a parameter.
  [[nodiscard]] std::optional<std::string_view> Parameter(std::string_view name) const;
};

// Takes "/path?query", "http://authority/path?query" and "*". In the query "+" is a space.
// kInvalidArgument: none of these, a broken percent escape, a control character, or "." and ".."
// as segments, which no client of ours has a reason to send.
Result<HttpTarget> ParseHttpTarget(std::string_view target);

}  // namespace prewarm::net
