// Where bytes come from. One call: read an object, or a range of it, into memory. Everything that
// differs between S3, a folder, a peer or GCS is behind it; retries and budgets are the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "common/base/result.h"

namespace prewarm::agent {

struct ReadRequest {
  std::string_view key;  // full object key, "<volume name>/chunks/…"; must outlive the call
  std::uint64_t offset = 0;
  // Bytes wanted. Absent: the whole object, which may be at most as long as the buffer.
  std::optional<std::uint64_t> length;
  // After a damaged or stalled answer: not on a connection that was used before.
  bool fresh_connection = false;
};

struct ObjectBytes {
  std::size_t size = 0;  // bytes now in the buffer
  // CRC-32C of the whole stored object as the store remembers it; only for whole-object reads.
  std::optional<std::uint32_t> crc32c;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // Fills the front of `into`. An instance belongs to one executor and is called there; calls may
  // overlap. The buffer may hold partial bytes after an error.
  // kNotFound/kNotFound: no such object. kNotFound/kUnspecified: no such bucket or folder: nothing
  //   will be found.
  // kPermission: refused. kUnavailable, kTimeout: worth a retry (reason says throttled,
  //   server_error, connection (also cut off in the middle) or timeout).
  // kCorrupt: wrong_length (object longer than the buffer, shorter than the range asked for) or
  //   not_an_object (error page, wrong range, transcoded). kCancelled: the task group stopped.
  virtual Task<Result<ObjectBytes>> Read(ReadRequest request, std::span<std::byte> into) = 0;
  // "s3 bucket models at 10.0.0.5:9000": for messages; no secrets.
  [[nodiscard]] virtual std::string Describe() const = 0;
};

}  // namespace prewarm::agent
