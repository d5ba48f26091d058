// One HTTP/1.1 request and its answer over a connection, the body piece by piece as it arrives: for
// answers that are parsed on the way, and for watches, which end only much later.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/stream.h"

namespace prewarm::controller::kube {

struct AnswerHead {
  unsigned status = 0;
  std::string content_type;
  std::optional<Duration> retry_after;
};

// An error of either ends the exchange, and becomes its result.
struct AnswerSink {
  std::function<Status(const AnswerHead&)> head;
  std::function<Status(std::string_view)> piece;
};

// What became of the connection, also after a failure.
struct ExchangeReport {
  bool silent = true;     // the server has not sent a byte
  bool reusable = false;  // the connection is fit for another request
};

// kUnavailable: also where the answer was cut short; kTimeout: `deadline` passed; kCorrupt: not
// HTTP. `report` outlives the call.
Task<Status> Exchange(net::Stream& stream, const Clock& clock, std::string request, AnswerSink sink,
                      SteadyTime deadline, ExchangeReport& report);

}  // namespace prewarm::controller::kube
