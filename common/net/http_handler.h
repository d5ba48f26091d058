// What an HTTP server and those who answer for it agree on: a request as values, and the two ways
// to reply. Handlers are tested without sockets by a reply of the test's own.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/net/http_target.h"

namespace prewarm::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpServerRequest {
  std::string method;  // "HEAD" is to be handled as "GET": the server holds the body back
  HttpTarget target;
  HttpHeaders headers;  // as sent, in order
  std::string body;
  std::string peer;  // address without port

  // The value of the first header of that name, whatever its case.
  [[nodiscard]] std::optional<std::string_view> Header(std::string_view name) const;
  // How often it stands there.
  [[nodiscard]] std::size_t Count(std::string_view name) const;
};

struct HttpResponse {
  unsigned status = 200;
  // Content-Length, Transfer-Encoding, Connection and Date are the server's.
  HttpHeaders headers;
  std::string body;
};

class HttpReply {
 public:
  virtual ~HttpReply() = default;

  // A whole answer. That the peer does not take it is the server's business.
  virtual Task<void> Send(HttpResponse response) = 0;

  // An answer of unknown length: sends the head (its body is not looked at), then runs `producer`,
  // which calls Write(). The producer is stopped, so that Stopping() is true and what it waits in
  // is cut short, as soon as the peer leaves or the server stops; everything it refers to stays
  // alive because the handler's frame waits. Not run for HEAD, nor if the server has all the
  // streams it takes: the peer then gets 429.
  virtual Task<void> SendStream(HttpResponse head, Task<void> producer) = 0;

  // For the producer, one call at a time. After a failure: return.
  virtual Task<Status> Write(std::string_view piece) = 0;
};

// Replies exactly once, by Send or by SendStream. The request and the reply outlive the call. A
// handler runs to its end even if the peer leaves, except in SendStream; the server's stop, once
// its grace is over, stops it.
using HttpHandler = std::function<Task<void>(const HttpServerRequest&, HttpReply&)>;

// A small problem document (RFC 9457) without members of its own.
HttpResponse PlainProblem(unsigned status, std::string_view detail);

}  // namespace prewarm::net
