// The bytes of a watch as events: one JSON text a line, of any size up to a limit, cut anywhere.
// Pure, so that it can be fuzzed.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace prewarm::controller::kube {

enum class WatchEventType : std::uint8_t { kAdded, kModified, kDeleted, kBookmark, kError };

// One line of a watch. The object lives only during the call. An error ends the watch, and becomes
// its result. For kError the object is the API's Status (code 410: the version is too old).
using WatchSink = std::function<Status(WatchEventType, const boost::json::object&)>;

class WatchDecoder {
 public:
  explicit WatchDecoder(std::size_t line_limit) : line_limit_(line_limit) {}

  // kCorrupt: not such a line; with Reason::kWrongLength: longer than the limit. Errors of the sink
  // as they are.
  Status Feed(std::string_view piece, const WatchSink& sink);
  // At the end of the stream. kUnavailable: within a line.
  [[nodiscard]] Status Finish() const;

 private:
  const std::size_t line_limit_;
  std::string rest_;  // of a line whose end has not come
};

}  // namespace prewarm::controller::kube
