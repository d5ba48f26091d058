// Writes a block's bytes to a file that has no name yet, in the best way that the directory's file
// system has: without a name and past the page cache, else without a name, else in the private
// folder. Which way works is found out once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "agent/cache/file_descriptor.h"
#include "agent/cache/folders.h"
#include "agent/cache/private_folder.h"
#include "common/base/result.h"

namespace prewarm::agent {

enum class WriteMethod : std::uint8_t { kDirect, kBuffered, kPrivateFile };

struct WrittenFile {
  FileDescriptor fd;
  std::unique_ptr<PrivateFile> private_file;  // null where files may be nameless
};

class BlockWriter {
 public:
  // `volume` outlives this; `path` names it in messages. kPermission: read-only or not ours to
  // write.
  static Result<std::unique_ptr<BlockWriter>> Open(int volume, std::string path,
                                                   Ownership ownership);

  // Writes the whole buffer, which is aligned and padded for direct I/O, cuts the file to `size`
  // and sets owner and mode. On failure nothing is left.
  Result<WrittenFile> Write(std::span<const std::byte> buffer, std::size_t size);

  // True if the pages of a written block stay in memory until they are dropped.
  [[nodiscard]] bool LeavesPages() const { return method_ != WriteMethod::kDirect; }
  [[nodiscard]] WriteMethod method() const { return method_; }

 private:
  BlockWriter(int volume, std::string path, Ownership ownership);
  Status FindMethod();
  Result<WrittenFile> Create(WriteMethod method);
  Status Fill(int fd, std::span<const std::byte> buffer);
  Status Finish(const WrittenFile& file, std::size_t size) const;
  [[nodiscard]] Error Failed(int error_number, const char* call) const;

  const int volume_;
  const std::string path_;
  const Ownership ownership_;
  std::atomic<WriteMethod> method_{WriteMethod::kDirect};
  std::shared_ptr<PrivateFolder> private_folder_;
};

}  // namespace prewarm::agent
