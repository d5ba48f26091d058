#include "common/metadata/tree_walk.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/metadata/directory_page.h"

namespace prewarm::metadata {
namespace {

using juicefs::FileType;
using net::RedisReply;

constexpr std::size_t kDirectoriesAtOnce = 1024;
// Entries wanted in one round of pages. It bounds the memory that replies take.
constexpr std::size_t kEntriesAtOnce = 100'000;

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
        scans.push_back({.directory = std::move(level.back()), .cursor = kFirstPage});
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
  const std::size_t entries = kEntriesAtOnce / scans.size();
  std::vector<RedisCommand> commands;
  commands.reserve(scans.size());
  for (const Scan& scan : scans) {
    commands.push_back(PageCommand(keys_, scan.directory.inode, scan.cursor, entries));
  }
  CO_TRY(auto replies, co_await Read(redis_, std::move(commands)));
  Page page;
  for (std::size_t i = 0; i < scans.size(); ++i) {
    CO_TRY_STATUS(ReadPage(std::move(scans[i]), std::move(replies[i]), page));
  }
  co_return page;
}

Status TreeWalk::ReadPage(Scan scan, RedisReply reply, Page& page) {
  TRY(auto found, ParsePage(scan.directory, std::move(reply)));
  for (const auto& [name, entry] : found.entries) {
    Take(ChildOf(scan.directory, name, entry), page);
  }
  scan.cursor = std::move(found.next);
  if (!scan.cursor.empty()) page.unfinished.push_back(std::move(scan));
  return {};
}

void TreeWalk::Take(Node node, Page& page) {
  if (node.type == FileType::kFile) {
    page.files.push_back(std::move(node));
    return;
  }
  if (!seen_.insert(node.inode).second) return;
  if (node.type == FileType::kDirectory) {
    page.directories.push_back(std::move(node));
  } else if (node.type == FileType::kSymlink) {
    ++found_.skipped_symlinks;
  } else {
    ++found_.skipped_special;
  }
}

Task<Status> TreeWalk::AddFiles(std::vector<Node> files, bool must_exist) {
  std::vector<std::string> names;
  names.reserve(files.size());
  for (const Node& file : files) names.push_back(keys_.Attribute(file.inode));
  CO_TRY(const auto attributes, co_await ReadStrings(redis_, std::move(names)));
  for (std::size_t i = 0; i < files.size(); ++i) {
    CO_TRY_STATUS(AddFile(std::move(files[i]), attributes[i], must_exist));
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
  TRY(const auto parsed, AttributeOf(file, attribute.text));
  const auto [known, fresh] = index_.try_emplace(file.inode, found_.files.size());
  if (fresh) {
    found_.files.push_back({.path = std::move(file.path),
                            .inode = file.inode,
                            .length = parsed.length,
                            .segments = {}});
  } else if (std::string& path = found_.files[known->second].path; file.path < path) {
    path = std::move(file.path);  // of several hard links the first by name
  }
  return {};
}

}  // namespace prewarm::metadata
