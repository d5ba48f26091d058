// A volume read from its metadata engine: settings, and paths down to slices. Reads only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/juicefs/file_slices.h"
#include "common/juicefs/volume_settings.h"
#include "common/metadata/directory_listing.h"

namespace prewarm::metadata {

class RedisClient;

// One regular file that a request named, or that was found below a directory it named.
using juicefs::FileSlices;

struct ResolveProgress {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

struct ResolveRequest {
  std::string subdir;              // --subdir of the mount: its "/" is this directory
  std::vector<std::string> paths;  // empty: everything
  // Called on the caller's executor now and then.
  std::function<void(const ResolveProgress&)> on_progress;
};

struct ResolvedPaths {
  // Sorted by path, each inode once (hard links and a path named twice give one entry).
  std::vector<FileSlices> files;
  std::uint64_t bytes = 0;             // sum of lengths
  std::uint64_t skipped_symlinks = 0;  // met during directory walks, which do not follow them
  std::uint64_t skipped_special = 0;   // fifos, sockets, devices met during walks
};

struct ListRequest {
  std::string subdir;  // as in ResolveRequest
  std::string path;    // "" and "/" are the root
  std::size_t max_entries = 10'000;
};

class VolumeReader {
 public:
  explicit VolumeReader(RedisClient& redis);

  // kNotFound: the database holds no volume ("not formatted"). Else as ParseVolumeSettings and
  // RedisClient.
  Task<Result<juicefs::VolumeSettings>> Settings();
  // The document that Settings() understands; it holds secrets.
  Task<Result<std::string>> SettingText();

  // kNotFound: a path does not exist; the message names the nearest existing parent.
  // kInvalidArgument: a path names something that is neither file nor directory, a symlink loop, a
  // symlink that leaves the volume. kCorrupt: a record that cannot be parsed.
  Task<Result<ResolvedPaths>> Resolve(ResolveRequest request);

  // Symlinks of the path are followed, those in the directory are told of. A path that does not
  // exist, or whose parent is a file, is kAbsent; else errors as Resolve: kNotFound only if there
  // is no such subdir. Round trips grow with the depth of the path and by one for each page of
  // 10,000 entries.
  Task<Result<DirectoryListing>> List(ListRequest request);

 private:
  RedisClient& redis_;
};

}  // namespace prewarm::metadata
