// File name patterns as Python's fnmatch has them, which is what the hub's include and exclude
// lists mean: "*" and "?" match "/" too, and a pattern is about the whole relative path. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace prewarm::controller::bento {

// Case matters. Time is at most the product of both lengths.
bool GlobMatches(std::string_view pattern, std::string_view text);

// As huggingface_hub filters files: an empty include means everything; a pattern that ends with "/"
// means all below it.
struct FileFilter {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  bool operator==(const FileFilter&) const = default;

  [[nodiscard]] bool Takes(std::string_view path) const;
};

}  // namespace prewarm::controller::bento
