// What went wrong, as a value. An Error carries a code (what the caller may do about it), a reason
// (why, from a closed set that reports and metrics use as a label) and one sentence for a person
// that names the thing it is about.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace prewarm {

enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  // the request is wrong: do not repeat it
  kInvalidConfig,    // the configuration is wrong: do not start
  kNotFound,         // the named thing does not exist (any more)
  kConflict,         // somebody else's state is in the way
  kUnavailable,      // the other side is away or overloaded: worth a retry
  kTimeout,          // a deadline passed: worth a retry
  kCancelled,        // we were asked to stop: goes up silently, is never retried
  kCorrupt,          // bytes do not agree with what they should be
  kNoSpace,          // no bytes, inodes or quota left
  kPermission,       // the other side refuses us
  kInternal,         // the local machine failed us (disk error, out of descriptors, ...)
};

// Closed set; ReasonName() is the label. Order is free, names are stable.
enum class Reason : std::uint8_t {
  kUnspecified,
  kNotFound,            // the store has no such object (deleted or compacted)
  kAccessDenied,        // the store refuses our credentials
  kThrottled,           // 429, 503 SlowDown
  kServerError,         // 5xx
  kConnection,          // refused, reset, closed early, DNS
  kTimeout,             // no progress within the limit
  kWrongLength,         // object shorter or longer than its key says
  kChecksumMismatch,    // stored checksum disagrees with the bytes
  kNotAnObject,         // an answer that is not the object: error page, wrong range, transcoding
  kDecryption,          // envelope damaged or wrong key
  kDecompression,       // garbage or over-long output
  kNoChecksum,          // --require-checksum and the store gives nothing to check against
  kNoSpace,             // bytes
  kNoInodes,            // inodes
  kQuota,               // EDQUOT
  kReadOnly,            // EROFS
  kDiskError,           // EIO and relatives, failed sync
  kCacheDirectoryGone,  // replaced, unmounted or removed while we ran
  kForeignFile,         // something that is not a whole block stands under the name
  kCancelled,
};

std::string_view CodeName(ErrorCode code);
std::string_view ReasonName(Reason reason);

// True where the same call may succeed later without anybody changing anything.
bool IsRetryable(ErrorCode code);

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  Reason reason = Reason::kUnspecified;

  // The same error seen from one level up: "reading block …: <message>".
  Error Within(std::string_view context) && {
    message = std::string(context) + ": " + message;
    return std::move(*this);
  }
};

// An error made from errno of a failed system call on a local file.
Error ErrnoError(int error_number, std::string_view what);

}  // namespace prewarm
