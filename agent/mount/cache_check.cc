#include "agent/mount/cache_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "agent/mount/cache_verdict.h"
#include "common/base/units.h"

namespace prewarm::agent {
namespace {

using std::chrono::milliseconds;

constexpr ino_t kControlInode = 0x7fffffff00000002;
constexpr milliseconds kShortestPause{1};
constexpr milliseconds kLongestPause{100};
constexpr milliseconds kLookInterval{20};

// What the thread that talks to the mount shares with the one that waits for it. Whoever gives up
// first leaves the other with valid memory.
struct Conversation {
  std::string mount_point;
  std::vector<std::string> paths;
  std::atomic<bool> abandoned{false};
  std::atomic<SteadyTime> heard{SystemClock().Now()};
  std::promise<Result<CacheCount>> answer;
};

// Closing it cancels the client's job, so there must never be a second descriptor of it.
struct ControlFile {
  int fd = -1;
  explicit ControlFile(int descriptor) : fd(descriptor) {}
  ControlFile(ControlFile&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  ControlFile& operator=(ControlFile&&) = delete;
  ~ControlFile() {
    if (fd >= 0) ::close(fd);
  }
};

Error TalkError(int error_number, const std::string& what) {
  // The client's successor in a smooth restart does not know the descriptor.
  if (error_number == EBADF || error_number == ENOTCONN || error_number == ENODEV) {
    return Fail(ErrorCode::kUnavailable, what + ": the client went away or began anew",
                Reason::kConnection);
  }
  return ErrnoError(error_number, what);
}

Result<ControlFile> OpenNamed(const std::string& path) {
  ControlFile file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (file.fd < 0) return TalkError(errno, "opening " + path);
  struct stat status{};
  if (::fstat(file.fd, &status) != 0) return TalkError(errno, "reading " + path);
  // Only one of the two names is the client's own; under the other a user may keep a file, which
  // must never be written to.
  if (status.st_ino != kControlInode) {
    return Fail(ErrorCode::kNotFound, path + " is not the client's control file");
  }
  return file;
}

Result<ControlFile> OpenControl(const std::string& mount_point) {
  const std::string folder = mount_point == "/" ? "" : mount_point;
  auto prefixed = OpenNamed(folder + "/.jfs.control");
  if (prefixed || prefixed.error().code != ErrorCode::kNotFound) return prefixed;
  auto plain = OpenNamed(folder + "/.control");
  if (plain || plain.error().code != ErrorCode::kNotFound) return plain;
  return Fail(ErrorCode::kUnavailable, "no client is mounted at " + mount_point + " any more",
              Reason::kConnection);
}

// The path with symlinks resolved, or as it is where that does not lead to a place in the mount.
std::string WithoutSymlinks(const std::string& mount_point, const std::string& path) {
  const std::string root = mount_point == "/" ? "" : mount_point;
  const std::unique_ptr<char, decltype(&std::free)> resolved(
      ::realpath((root + path).c_str(), nullptr), &std::free);
  if (resolved == nullptr) return path;
  std::string_view real = resolved.get();
  if (!real.starts_with(root)) return path;
  real.remove_prefix(root.size());
  if (real.empty()) return "/";
  return real.starts_with('/') ? std::string(real) : path;
}

Status WriteAll(const ControlFile& control, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(control.fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return TalkError(errno, "asking the client");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

// The answer follows the request in the file, so it is read on from where the write ended.
Result<CacheCount> ReadAnswer(const ControlFile& control, Conversation& conversation) {
  CheckReply reply;
  std::array<char, 64 << 10> piece{};
  milliseconds pause = kShortestPause;
  while (!conversation.abandoned) {
    const ssize_t count = ::read(control.fd, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return TalkError(errno, "reading the client's answer");
    if (count == 0) {  // nothing yet
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, kLongestPause);
      continue;
    }
    conversation.heard = SystemClock().Now();
    TRY_STATUS(reply.Feed({piece.data(), static_cast<std::size_t>(count)}));
    if (reply.count()) return *reply.count();
  }
  return Fail(ErrorCode::kCancelled, "nobody waits for the answer", Reason::kCancelled);
}

Result<CacheCount> Converse(Conversation& conversation) {
  TRY(const ControlFile control, OpenControl(conversation.mount_point));
  for (auto& path : conversation.paths) path = WithoutSymlinks(conversation.mount_point, path);
  conversation.paths = OutermostPaths(std::move(conversation.paths));
  if (conversation.abandoned) return Fail(ErrorCode::kCancelled, "", Reason::kCancelled);
  TRY_STATUS(WriteAll(control, CheckRequest(conversation.paths)));
  return ReadAnswer(control, conversation);
}

}  // namespace

Result<CacheCount> CheckCache(const MountSettings& mount, const std::vector<std::string>& paths,
                              const std::stop_token& stop, CheckLimits limits) {
  if (!AnswersChecks(mount.version)) {
    return Fail(ErrorCode::kInvalidArgument, "clients of version " + mount.version +
                                                 " are not asked (only those of 1.2 and later)");
  }
  const auto conversation = std::make_shared<Conversation>();
  conversation->mount_point = mount.mount_point;
  conversation->paths = paths;
  auto answer = conversation->answer.get_future();
  std::thread([conversation] { conversation->answer.set_value(Converse(*conversation)); }).detach();

  const SystemClock clock;
  const SteadyTime begin = clock.Now();
  while (answer.wait_for(kLookInterval) != std::future_status::ready) {
    const SteadyTime now = clock.Now();
    const bool silent = now - conversation->heard.load() > limits.silence;
    if (!stop.stop_requested() && !silent && now - begin <= limits.whole) continue;
    conversation->abandoned = true;
    if (stop.stop_requested()) {
      return Fail(ErrorCode::kCancelled, "stopped", Reason::kCancelled);
    }
    return Fail(ErrorCode::kTimeout,
                "the client at " + mount.mount_point + " did not answer within " +
                    FormatDuration(silent ? limits.silence : limits.whole),
                Reason::kTimeout);
  }
  return answer.get();
}

}  // namespace prewarm::agent
