#include "agent/cache/cached_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "agent/cache/disk_error.h"
#include "agent/cache/file_descriptor.h"
#include "agent/cache/folders.h"
#include "common/juicefs/block.h"
#include "common/juicefs/cache_layout.h"

namespace prewarm::agent {
namespace {

constexpr int kDepth = 8;  // raw/chunks/<n>/<n>/<block> is 4

struct CloseFolder {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

Status CountFolder(FileDescriptor folder, int depth, CachedBlocks& found) {
  std::unique_ptr<DIR, CloseFolder> stream(::fdopendir(folder.get()));
  if (!stream) return DiskError(errno, "listing a cache folder", folder.get());
  const int fd = folder.Release();  // the stream closes it
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    if (name == "." || name == "..") continue;
    if (const auto block = juicefs::ParseBlockName(name)) {
      if (entry->d_type == DT_DIR || entry->d_type == DT_LNK) continue;
      ++found.blocks;
      found.bytes += block->size + kClientBlockOverhead;
    } else if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) && depth < kDepth) {
      FileDescriptor inner(
          ::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (inner) TRY_STATUS(CountFolder(std::move(inner), depth + 1, found));
    }
  }
  if (errno != 0) return DiskError(errno, "listing a cache folder", fd);
  return {};
}

}  // namespace

Result<CachedBlocks> CountCachedBlocks(int volume) {
  CachedBlocks found;
  int error_number = 0;
  FileDescriptor raw =
      OpenBeneath(volume, juicefs::kRawFolder, O_RDONLY | O_DIRECTORY, error_number);
  if (!raw && error_number == ENOENT) return found;
  if (!raw) return DiskError(error_number, "opening raw/", volume);
  TRY_STATUS(CountFolder(std::move(raw), 0, found));
  return found;
}

}  // namespace prewarm::agent
