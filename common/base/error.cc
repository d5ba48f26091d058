#include "common/base/error.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace prewarm {

std::string_view CodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kInvalidConfig: return "invalid_config";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kConflict: return "conflict";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kNoSpace: return "no_space";
    case ErrorCode::kPermission: return "permission";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kUnspecified: return "unspecified";
    case Reason::kNotFound: return "not_found";
    case Reason::kAccessDenied: return "access_denied";
    case Reason::kThrottled: return "throttled";
    case Reason::kServerError: return "server_error";
    case Reason::kConnection: return "connection";
    case Reason::kTimeout: return "timeout";
    case Reason::kWrongLength: return "wrong_length";
    case Reason::kChecksumMismatch: return "checksum_mismatch";
    case Reason::kNotAnObject: return "not_an_object";
    case Reason::kDecryption: return "decryption";
    case Reason::kDecompression: return "decompression";
    case Reason::kNoChecksum: return "no_checksum";
    case Reason::kNoSpace: return "no_space";
    case Reason::kNoInodes: return "no_inodes";
    case Reason::kQuota: return "quota";
    case Reason::kReadOnly: return "read_only";
    case Reason::kDiskError: return "disk_error";
    case Reason::kCacheDirectoryGone: return "cache_directory_gone";
    case Reason::kForeignFile: return "foreign_file";
    case Reason::kCancelled: return "cancelled";
  }
  return "unspecified";
}

bool IsRetryable(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

Error ErrnoError(int error_number, std::string_view what) {
  Error error{ErrorCode::kInternal,
              std::string(what) + ": " + std::generic_category().message(error_number),
              Reason::kDiskError};
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      error.code = ErrorCode::kNotFound;
      error.reason = Reason::kNotFound;
      break;
    case EACCES:
    case EPERM:
      error.code = ErrorCode::kPermission;
      error.reason = Reason::kAccessDenied;
      break;
    case EROFS:
      error.code = ErrorCode::kPermission;
      error.reason = Reason::kReadOnly;
      break;
    case ENOSPC:
      error.code = ErrorCode::kNoSpace;
      error.reason = Reason::kNoSpace;
      break;
    case EDQUOT:
      error.code = ErrorCode::kNoSpace;
      error.reason = Reason::kQuota;
      break;
    case EEXIST:
    case ELOOP:
    case EXDEV:
      error.code = ErrorCode::kConflict;
      error.reason = Reason::kForeignFile;
      break;
    default: break;
  }
  return error;
}

}  // namespace prewarm
