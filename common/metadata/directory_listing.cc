#include "common/metadata/directory_listing.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "common/metadata/directory_page.h"

namespace prewarm::metadata {
namespace {

using juicefs::FileType;
using Kind = DirectoryListing::Kind;

// By name, because an entry may be on two pages; the later one is how it is now.
using Entries = std::map<std::string, juicefs::DirectoryEntry>;

// All of them, or of a larger directory more than `max_entries`.
Task<Result<Entries>> ReadEntries(RedisClient& redis, VolumeKeys keys, Node directory,
                                  std::size_t max_entries) {
  Entries entries;
  std::string cursor = kFirstPage;
  while (!cursor.empty() && entries.size() <= max_entries) {
    std::vector<RedisCommand> commands;
    commands.push_back(
        PageCommand(keys, directory.inode, std::move(cursor), std::min(max_entries, kLargestPage)));
    CO_TRY(auto replies, co_await Read(redis, std::move(commands)));
    CO_TRY(auto page, ParsePage(directory, std::move(replies.front())));
    for (auto& [name, entry] : page.entries) entries.insert_or_assign(std::move(name), entry);
    cursor = std::move(page.next);
  }
  co_return entries;
}

// Attributes and targets in one round trip. What has lost either since its entry was read is gone.
Task<Result<std::vector<ListedEntry>>> ReadDetails(RedisClient& redis, VolumeKeys keys,
                                                   Node directory, Entries entries) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries) names.push_back(keys.Attribute(entry.inode));
  for (const auto& [name, entry] : entries) {
    if (entry.type == FileType::kSymlink) names.push_back(keys.Symlink(entry.inode));
  }
  CO_TRY(auto values, co_await ReadStrings(redis, std::move(names)));
  auto attribute = values.begin();
  auto target = values.begin() + std::ssize(entries);
  std::vector<ListedEntry> listed;
  listed.reserve(entries.size());
  for (const auto& [name, entry] : entries) {
    ListedEntry found{.name = name, .type = entry.type, .bytes = 0, .target = {}};
    const net::RedisReply& record = *attribute++;
    bool gone = record.is_nil();
    if (entry.type == FileType::kSymlink) {
      gone = gone || target->is_nil();
      found.target = std::move((target++)->text);
    }
    if (gone) continue;
    CO_TRY(const auto known, AttributeOf(ChildOf(directory, name, entry), record.text));
    if (entry.type == FileType::kFile) found.bytes = known.length;
    listed.push_back(std::move(found));
  }
  co_return listed;
}

Task<Result<DirectoryListing>> ListFile(RedisClient& redis, VolumeKeys keys, Node file) {
  CO_TRY(const auto values, co_await ReadStrings(redis, {keys.Attribute(file.inode)}));
  if (values.front().is_nil()) co_return DirectoryListing{};
  CO_TRY(const auto known, AttributeOf(file, values.front().text));
  DirectoryListing listing;
  listing.kind = Kind::kFile;
  listing.real_path = std::move(file.path);
  listing.bytes = known.length;
  co_return listing;
}

}  // namespace

Task<Result<DirectoryListing>> ListNode(RedisClient& redis, VolumeKeys keys, Node node,
                                        std::size_t max_entries) {
  if (node.type != FileType::kDirectory) {
    co_return co_await ListFile(redis, std::move(keys), std::move(node));
  }
  CO_TRY(auto entries, co_await ReadEntries(redis, keys, node, max_entries));
  DirectoryListing listing;
  listing.kind = Kind::kDirectory;
  listing.real_path = node.path;
  listing.truncated = entries.size() > max_entries;
  while (entries.size() > max_entries) entries.erase(std::prev(entries.end()));
  CO_TRY(listing.entries,
         co_await ReadDetails(redis, std::move(keys), std::move(node), std::move(entries)));
  co_return listing;
}

}  // namespace prewarm::metadata
