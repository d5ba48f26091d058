#include "common/metadata/tree_walk.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace prewarm::metadata {
namespace {

using juicefs::FileType;
using net::RedisReply;
using Kind = RedisReply::Kind;

constexpr std::size_t kAttributesAtOnce = 4096;  // keys of one MGET, as the client has it
constexpr std::size_t kDirectoriesAtOnce = 1024;
// Entries wanted in one round of pages. It bounds the memory that replies take.
constexpr std::size_t kEntriesAtOnce = 100'000;
constexpr std::size_t kLargestPage = 10'000;  // more would block the server for too long

std::string Describe(const Node& node) {
  return "/" + Printable(node.path) + " (inode " + std::to_string(node.inode.value) + ")";
}

std::string ChildPath(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

}  // namespace

TreeWalk::TreeWalk(RedisClient& redis, VolumeKeys keys) : redis_(redis), keys_(std::move(keys)) {}

Task<Result<FoundFiles>> TreeWalk::Walk(std::vector<Node> starts) {
  std::vector<Node> files;
  std::vector<Node> level;
  for (Node& start : starts) {
    const bool directory = start.type == FileType::kDirectory;
    if (directory && !seen_.insert(start.inode).second) continue;
    (directory ? level : files).push_back(std::move(start));
  }
  CO_TRY_STATUS(co_await AddFiles(std::move(files), true));
  while (!level.empty()) {
    std::vector<Node> next_level;
    std::vector<Scan> scans;
    while (!level.empty() || !scans.empty()) {
      while (!level.empty() && scans.size() < kDirectoriesAtOnce) {
        scans.push_back({.directory = std::move(level.back()), .cursor = "0"});
        level.pop_back();
      }
      CO_TRY(Page page, co_await ScanOnce(std::move(scans)));
      scans = std::move(page.unfinished);
      std::ranges::move(page.directories, std::back_inserter(next_level));
      CO_TRY_STATUS(co_await AddFiles(std::move(page.files), false));
    }
    level = std::move(next_level);
  }
  std::ranges::sort(found_.files, {}, &juicefs::FileSlices::path);
  co_return std::move(found_);
}

Task<Result<TreeWalk::Page>> TreeWalk::ScanOnce(std::vector<Scan> scans) {
  const std::string count =
      std::to_string(std::clamp<std::size_t>(kEntriesAtOnce / scans.size(), 1, kLargestPage));
  std::vector<RedisCommand> commands;
  commands.reserve(scans.size());
  for (const Scan& scan : scans) {
    commands.push_back(
        {"HSCAN", keys_.Directory(scan.directory.inode), scan.cursor, "COUNT", count});
  }
  CO_TRY(const auto replies, co_await Read(redis_, std::move(commands)));
  Page page;
  for (std::size_t i = 0; i < scans.size(); ++i) {
    CO_TRY_STATUS(ReadPage(std::move(scans[i]), replies[i], page));
  }
  co_return page;
}

// [cursor, [name, value, name, value…]]
Status TreeWalk::ReadPage(Scan scan, const RedisReply& reply, Page& page) {
  if (reply.elements.size() != 2 || reply.elements[1].elements.size() % 2 != 0) {
    return Fail(ErrorCode::kCorrupt,
                "the answer to HSCAN of directory " + Describe(scan.directory) + " is not a page");
  }
  const auto& entries = reply.elements[1].elements;
  for (std::size_t i = 0; i < entries.size(); i += 2) {
    TRY_STATUS(Take(scan.directory, entries[i].text, entries[i + 1].text, page));
  }
  scan.cursor = reply.elements[0].text;
  if (scan.cursor != "0") page.unfinished.push_back(std::move(scan));
  return {};
}

// A page may bring an entry that an earlier one brought already.
Status TreeWalk::Take(const Node& directory, const std::string& name, const std::string& value,
                      Page& page) {
  auto entry = juicefs::ParseDirectoryEntry(value);
  if (!entry) {
    return std::move(entry).error().Within("entry \"" + Printable(name) + "\" of directory " +
                                           Describe(directory));
  }
  if (entry->type == FileType::kFile) {
    page.files.push_back(
        {.inode = entry->inode, .type = entry->type, .path = ChildPath(directory.path, name)});
    return {};
  }
  if (!seen_.insert(entry->inode).second) return {};
  if (entry->type == FileType::kDirectory) {
    page.directories.push_back(
        {.inode = entry->inode, .type = entry->type, .path = ChildPath(directory.path, name)});
  } else if (entry->type == FileType::kSymlink) {
    ++found_.skipped_symlinks;
  } else {
    ++found_.skipped_special;
  }
  return {};
}

Task<Status> TreeWalk::AddFiles(std::vector<Node> files, bool must_exist) {
  if (files.empty()) co_return Status();
  std::vector<RedisCommand> commands;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (i % kAttributesAtOnce == 0) {
      commands.push_back({"MGET"});
      commands.back().reserve(1 + std::min(kAttributesAtOnce, files.size() - i));
    }
    commands.back().push_back(keys_.Attribute(files[i].inode));
  }
  CO_TRY(const auto replies, co_await Read(redis_, std::move(commands)));
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& attributes = replies[i / kAttributesAtOnce].elements;
    const std::size_t place = i % kAttributesAtOnce;
    if (place >= attributes.size()) {
      co_return Fail(ErrorCode::kCorrupt, "Redis answered MGET with too few values");
    }
    CO_TRY_STATUS(AddFile(std::move(files[i]), attributes[place], must_exist));
  }
  co_return Status();
}

Status TreeWalk::AddFile(Node file, const RedisReply& attribute, bool must_exist) {
  if (attribute.is_nil()) {
    if (!must_exist) return {};
    return Fail(ErrorCode::kNotFound,
                Describe(file) +
                    " has a name but no attributes: it was "
                    "removed, or the metadata is damaged",
                Reason::kNotFound);
  }
  auto parsed = juicefs::ParseAttribute(attribute.text);
  if (!parsed) return std::move(parsed).error().Within("attributes of " + Describe(file));
  if (parsed->type != FileType::kFile) {
    return Fail(ErrorCode::kCorrupt, Describe(file) + " is a file by its entry, but a " +
                                         std::string(juicefs::FileTypeName(parsed->type)) +
                                         " by its attributes");
  }
  const auto [known, fresh] = index_.try_emplace(file.inode, found_.files.size());
  if (fresh) {
    found_.files.push_back({.path = std::move(file.path),
                            .inode = file.inode,
                            .length = parsed->length,
                            .segments = {}});
  } else if (std::string& path = found_.files[known->second].path; file.path < path) {
    path = std::move(file.path);  // of several hard links the first by name
  }
  return {};
}

}  // namespace prewarm::metadata
