#include "common/metadata/directory_page.h"

#include <algorithm>
#include <utility>

namespace prewarm::metadata {

RedisCommand PageCommand(const VolumeKeys& keys, juicefs::Inode directory, std::string cursor,
                         std::size_t entries) {
  return {"HSCAN", keys.Directory(directory), std::move(cursor), "COUNT",
          std::to_string(std::clamp<std::size_t>(entries, 1, kLargestPage))};
}

// [cursor, [name, value, name, value…]]
Result<DirectoryPage> ParsePage(const Node& directory, net::RedisReply reply) {
  if (reply.elements.size() != 2 || reply.elements[1].elements.size() % 2 != 0) {
    return Fail(ErrorCode::kCorrupt,
                "the answer to HSCAN of directory " + Describe(directory) + " is not a page");
  }
  auto& words = reply.elements[1].elements;
  DirectoryPage page;
  page.entries.reserve(words.size() / 2);
  for (std::size_t i = 0; i < words.size(); i += 2) {
    auto entry = juicefs::ParseDirectoryEntry(words[i + 1].text);
    if (!entry) {
      return std::move(entry).error().Within("entry \"" + Printable(words[i].text) +
                                             "\" of directory " + Describe(directory));
    }
    page.entries.push_back({.name = std::move(words[i].text), .entry = *entry});
  }
  if (reply.elements[0].text != kFirstPage) page.next = std::move(reply.elements[0].text);
  return page;
}

}  // namespace prewarm::metadata
