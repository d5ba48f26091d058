#include "agent/store/file_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/async/offload.h"

namespace prewarm::agent {
namespace {

struct OpenFile {
  // O_NONBLOCK: a pipe under an object's name must not hold the thread.
  explicit OpenFile(const std::string& path)
      : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  const int fd;
};

bool IsFolder(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// A source that fails is a store that fails: unlike the disk of the cache, it may recover.
Error SourceError(int error_number, const std::string& path) {
  Error error = ErrnoError(error_number, path);
  if (error.code != ErrorCode::kNotFound && error.code != ErrorCode::kPermission) {
    error.code = ErrorCode::kUnavailable;
    error.reason = Reason::kServerError;
  }
  return error;
}

Error WrongLength(std::string message) {
  return Fail(ErrorCode::kCorrupt, std::move(message), Reason::kWrongLength);
}

// As many of the bytes as there are.
Result<std::size_t> ReadAt(int fd, std::span<std::byte> into, std::uint64_t offset,
                           const std::string& path) {
  std::size_t done = 0;
  while (done < into.size()) {
    const auto got =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SourceError(errno, path);
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace

FileStore::FileStore(std::string folder, boost::asio::thread_pool& pool)
    : folder_(folder.ends_with('/') ? std::move(folder) : folder + "/"), pool_(pool) {}

std::string FileStore::Describe() const { return "folder " + folder_; }

Task<Result<ObjectBytes>> FileStore::Read(ReadRequest request, std::span<std::byte> into) {
  co_return co_await Offload(pool_, [&] { return ReadHere(request, into); });
}

Result<ObjectBytes> FileStore::ReadHere(const ReadRequest& request,
                                        std::span<std::byte> into) const {
  if (("/" + std::string(request.key) + "/").find("/../") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the key " + std::string(request.key) + " leaves the folder");
  }
  const std::string path = folder_ + std::string(request.key);
  const OpenFile file(path);
  if (file.fd < 0) {
    const int error_number = errno;
    if (error_number == ENOENT && !IsFolder(folder_)) {
      return Fail(ErrorCode::kNotFound, folder_ + ": no such folder");
    }
    return SourceError(error_number, path);
  }
  struct stat status{};
  if (::fstat(file.fd, &status) != 0) return SourceError(errno, path);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kCorrupt, path + " is not a file", Reason::kNotAnObject);
  }
  const auto file_size = static_cast<std::uint64_t>(status.st_size);
  const auto wanted = request.length.value_or(file_size);
  if (wanted > into.size()) {
    return WrongLength(path + ": " + std::to_string(wanted) + " bytes do not fit into the " +
                       std::to_string(into.size()) + " that were expected");
  }
  const std::uint64_t offset = request.length ? request.offset : 0;
  ObjectBytes object;
  TRY(object.size, ReadAt(file.fd, into.first(static_cast<std::size_t>(wanted)), offset, path));
  if (object.size != wanted) return WrongLength(path + " ends early");
  return object;
}

}  // namespace prewarm::agent
