#include "agent/cache/block_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "agent/cache/crash_site.h"
#include "agent/cache/disk_error.h"

namespace prewarm::agent {
namespace {

// What kernels and file systems say that know no O_TMPFILE.
bool MeansNoNamelessFiles(int error_number) {
  return error_number == EOPNOTSUPP || error_number == EISDIR || error_number == ENOSYS ||
         error_number == EINVAL;
}

bool LeaveDirectMode(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

}  // namespace

BlockWriter::BlockWriter(int volume, std::string path, Ownership ownership)
    : volume_(volume), path_(std::move(path)), ownership_(ownership) {}

Result<std::unique_ptr<BlockWriter>> BlockWriter::Open(int volume, std::string path,
                                                       Ownership ownership) {
  std::unique_ptr<BlockWriter> writer(new BlockWriter(volume, std::move(path), ownership));
  PrivateFolder::RemoveLeftovers(volume);
  TRY_STATUS(writer->FindMethod());
  return writer;
}

Error BlockWriter::Failed(int error_number, const char* call) const {
  // A removed directory says ENOENT on some file systems, EPERM on others.
  struct stat volume{};
  if (::fstat(volume_, &volume) == 0 && volume.st_nlink == 0) {
    return DirectoryGone(path_, "was removed");
  }
  return DiskError(error_number, path_ + ": " + call, volume_);
}

Status BlockWriter::FindMethod() {
  for (const auto method : {WriteMethod::kDirect, WriteMethod::kBuffered}) {
    const int direct = method == WriteMethod::kDirect ? O_DIRECT : 0;
    const FileDescriptor probe(
        ::openat(volume_, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | direct, ownership_.file_mode));
    if (probe || errno == ENOSPC || errno == EDQUOT) {  // full is not unable: Stage will say so
      method_ = method;
      return {};
    }
    if (!MeansNoNamelessFiles(errno)) return Failed(errno, "cannot write");
  }
  method_ = WriteMethod::kPrivateFile;
  TRY(private_folder_, PrivateFolder::Open(volume_, path_));
  return {};
}

Result<WrittenFile> BlockWriter::Create(WriteMethod method) {
  WrittenFile file;
  if (method == WriteMethod::kPrivateFile) {
    TRY(auto created, private_folder_->Create(ownership_.file_mode));
    file.fd = std::move(created.fd);
    file.private_file = std::move(created.name);
    return file;
  }
  const int direct = method == WriteMethod::kDirect ? O_DIRECT : 0;
  file.fd = FileDescriptor(
      ::openat(volume_, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | direct, ownership_.file_mode));
  if (!file.fd) return Failed(errno, "cannot make a file");
  return file;
}

Result<WrittenFile> BlockWriter::Write(std::span<const std::byte> buffer, std::size_t size) {
  TRY(WrittenFile file, Create(method_));
  CrashSite("file_made");
  TRY_STATUS(Fill(file.fd.get(), buffer));
  CrashSite("bytes_written");
  TRY_STATUS(Finish(file, size));
  CrashSite("file_finished");
  return file;
}

Status BlockWriter::Fill(int fd, std::span<const std::byte> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t wrote =
        ::pwrite(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(done));
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
      continue;
    }
    const int error_number = wrote == 0 ? ENOSPC : errno;
    if (error_number == EINTR) continue;
    // Some file systems take O_DIRECT and then not this alignment, or none after a short write.
    if (error_number == EINVAL && LeaveDirectMode(fd)) {
      if (done == 0) method_ = WriteMethod::kBuffered;
      continue;
    }
    return Failed(error_number, "write");
  }
  return {};
}

Status BlockWriter::Finish(const WrittenFile& file, std::size_t size) const {
  const int fd = file.fd.get();
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return Failed(errno, "ftruncate");
  struct stat now{};
  if (::fstat(fd, &now) != 0) return Failed(errno, "fstat");
  const nlink_t names = file.private_file ? 1 : 0;
  if (static_cast<std::size_t>(now.st_size) != size || now.st_nlink != names) {
    return Fail(ErrorCode::kInternal,
                fmt::format("{}: wrote {} bytes and found {} bytes and {} names", path_, size,
                            now.st_size, now.st_nlink),
                Reason::kDiskError);
  }
  if (ownership_.give_away && (now.st_uid != ownership_.uid || now.st_gid != ownership_.gid) &&
      ::fchown(fd, ownership_.uid, ownership_.gid) != 0) {
    return Failed(errno, "fchown");
  }
  if ((now.st_mode & 07777) != ownership_.file_mode && ::fchmod(fd, ownership_.file_mode) != 0 &&
      !(errno == EPERM && file.private_file)) {  // such file systems may have no modes at all
    return Failed(errno, "fchmod");
  }
  return {};
}

}  // namespace prewarm::agent
