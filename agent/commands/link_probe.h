// How fast this node reads a volume's store: blocks of real files, several at a time, into memory,
// for about two seconds.
#pragma once

#include <cstdint>
#include <string>

#include "agent/commands/volume_session.h"
#include "common/async/task.h"
#include "common/base/result.h"

namespace prewarm::agent {

struct LinkReport {
  std::string store;
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
  double request_p50_seconds = 0;  // from request to last byte
  double request_p99_seconds = 0;

  [[nodiscard]] double BytesPerSecond() const {
    return seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
  }
};

// kNotFound: the paths hold no data to read. Otherwise as VolumeSession and ObjectStore: the first
// failed request ends the measurement.
Task<Result<LinkReport>> ProbeLink(const CommandContext& context, VolumeSession& session);

}  // namespace prewarm::agent
