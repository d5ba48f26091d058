#include "controller/kube/watch_decoder.h"

#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <optional>

#include "common/base/units.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller::kube {
namespace {

namespace json = boost::json;

std::optional<WatchEventType> TypeNamed(std::string_view name) {
  if (name == "ADDED") return WatchEventType::kAdded;
  if (name == "MODIFIED") return WatchEventType::kModified;
  if (name == "DELETED") return WatchEventType::kDeleted;
  if (name == "BOOKMARK") return WatchEventType::kBookmark;
  if (name == "ERROR") return WatchEventType::kError;
  return std::nullopt;
}

Error NotAnEvent(const std::string& why) {
  return Fail(ErrorCode::kCorrupt, "a line of the watch is not an event: " + why,
              Reason::kNotAnObject);
}

Status DeliverLine(std::string_view line, const WatchSink& sink) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
  std::array<unsigned char, 16U << 10> first_space;  // most objects need no other
  json::monotonic_resource space(first_space.data(), first_space.size());
  json::parse_options options;
  options.max_depth = kMostJsonDepth;
  boost::system::error_code error;
  const auto event = json::parse({line.data(), line.size()}, error, &space, options);
  if (error) return NotAnEvent(error.message());
  const auto* members = event.if_object();
  if (members == nullptr) return NotAnEvent("it is not a JSON object");
  const auto type = TypeNamed(TextIn(*members, "type"));
  const auto* object = ObjectIn(*members, "object");
  if (!type || object == nullptr) return NotAnEvent("it has no type that we know, or no object");
  return sink(*type, *object);
}

}  // namespace

Status WatchDecoder::Feed(std::string_view piece, const WatchSink& sink) {
  for (;;) {
    const auto end = piece.find('\n');
    const auto part = piece.substr(0, end);
    if (rest_.size() + part.size() > line_limit_) {
      return Fail(ErrorCode::kCorrupt,
                  "a line of the watch is longer than " + FormatBytes(line_limit_),
                  Reason::kWrongLength);
    }
    if (end == std::string_view::npos) {
      rest_ += part;
      return {};
    }
    if (rest_.empty()) {
      TRY_STATUS(DeliverLine(part, sink));
    } else {
      rest_ += part;
      TRY_STATUS(DeliverLine(rest_, sink));
      rest_ = std::string();  // gives back what a long line took
    }
    piece.remove_prefix(end + 1);
  }
}

Status WatchDecoder::Finish() const {
  if (rest_.empty()) return {};
  return Fail(ErrorCode::kUnavailable, "the watch ended within a line", Reason::kConnection);
}

}  // namespace prewarm::controller::kube
