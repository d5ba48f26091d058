#include "agent/cache/directory_set.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "common/juicefs/cache_layout.h"

namespace prewarm::agent {
namespace {

// The client's `*` matches names that begin with a dot as well, which glob(3) cannot do inside a
// path.
std::vector<std::string> MatchingDirectories(const std::string& pattern) {
  namespace fs = std::filesystem;
  std::vector<fs::path> matches = {"/"};
  for (const fs::path& part : fs::path(pattern).relative_path()) {
    std::vector<fs::path> deeper;
    for (const fs::path& match : matches) {
      std::error_code error;
      if (!juicefs::HasWildcard(part.string())) {
        if (fs::is_directory(match / part, error)) deeper.push_back(match / part);
        continue;
      }
      fs::directory_iterator entry(match, error);
      for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        std::error_code gone;
        if (::fnmatch(part.c_str(), name.c_str(), 0) == 0 && entry->is_directory(gone)) {
          deeper.push_back(entry->path());
        }
      }
    }
    matches = std::move(deeper);
  }
  return {matches.begin(), matches.end()};
}

Result<std::string> RingId(CacheDirectory& directory, bool create) {
  TRY(const auto id, directory.ReadLock());
  if (id && !id->empty()) return *id;
  const std::string lock = directory.path() + "/" + std::string(juicefs::kLockFile);
  if (id) {
    return Fail(ErrorCode::kInvalidArgument,
                lock +
                    " is empty, so which blocks belong here is undefined until a JuiceFS client "
                    "has mounted the volume once");
  }
  if (directory.HasRaw()) {
    return Fail(ErrorCode::kInvalidArgument,
                lock +
                    " is missing although the directory holds blocks: it has lost its place among "
                    "the cache directories. Mount the volume once, or remove raw/ beside it");
  }
  if (create) return directory.MakeLock();
  return Fail(ErrorCode::kInvalidArgument,
              lock +
                  " does not exist yet while another cache directory is in use: which blocks go "
                  "where is settled only when it is made");
}

}  // namespace

Result<std::vector<std::string>> ExpandDirectories(const std::vector<std::string>& entries,
                                                   const std::string& uuid) {
  std::set<std::string> paths;  // sorted bytewise, as the client does
  for (const std::string& entry : entries) {
    const std::string path = entry + "/" + uuid;  // the client appends first, then expands
    if (!juicefs::HasWildcard(entry)) {
      paths.insert(path);
      continue;
    }
    const auto matches = MatchingDirectories(path);
    if (matches.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "no directory matches " + path +
                      ": the client uses a wildcard only for directories that hold the volume "
                      "already. Make <dir>/" +
                      uuid + " in each, or name the directories");
    }
    paths.insert(matches.begin(), matches.end());
  }
  return std::vector<std::string>(paths.begin(), paths.end());
}

Result<DirectorySet> DirectorySet::Open(const CacheOptions& options) {
  TRY(const auto paths, ExpandDirectories(options.directories, options.uuid));
  DirectorySet set;
  for (const std::string& path : paths) {
    TRY(auto directory, CacheDirectory::Open(path, options));
    set.directories_.push_back(std::move(directory));
  }
  TRY_STATUS(set.CheckDistinct());
  TRY_STATUS(set.BuildRing(options.create));
  return set;
}

Status DirectorySet::CheckDistinct() const {
  for (std::size_t i = 0; i < size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (at(i).IsSameAs(at(j))) {
        return Fail(ErrorCode::kInvalidArgument,
                    at(j).path() + " and " + at(i).path() + " are the same directory");
      }
    }
  }
  return {};
}

Status DirectorySet::BuildRing(bool create) {
  if (size() < 2) return {};
  std::vector<std::string> ids;
  // Nothing exists, nothing is cached: any ids give a dry run the right totals.
  const bool all_missing =
      std::ranges::none_of(directories_, [](const auto& directory) { return directory->exists(); });
  for (const auto& directory : directories_) {
    if (all_missing) {
      ids.push_back(directory->path());
      continue;
    }
    TRY(const std::string id, RingId(*directory, create));
    if (std::ranges::find(ids, id) != ids.end()) {
      return Fail(ErrorCode::kInvalidArgument,
                  directory->path() +
                      "/.lock is a copy of another directory's: the client cannot "
                      "tell them apart");
    }
    ids.push_back(id);
  }
  ring_.emplace(ids);
  return {};
}

}  // namespace prewarm::agent
