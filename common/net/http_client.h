// HTTP/1.1 GET with kept-alive connections, made for large bodies: only the head is parsed, the
// body goes from the socket straight into the caller's buffer. Lives on one executor.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/net/stream.h"

namespace prewarm::net {

struct HttpLimits {
  Duration connect = std::chrono::seconds(3);
  // Without a byte for this long, the answer is given up: progress counts, not the total.
  Duration progress = std::chrono::seconds(5);
  // From the end of the request to the first byte of the answer.
  Duration first_byte = std::chrono::seconds(30);
  std::size_t idle_connections = 256;  // kept
};

struct HttpRequest {
  std::string target;  // path and query, encoded
  std::string host;    // Host header
  std::vector<std::pair<std::string, std::string>> headers;
  bool fresh_connection = false;
};

struct HttpAnswer {
  unsigned status = 0;
  boost::beast::http::fields headers;
  std::size_t body_bytes = 0;  // in the caller's buffer; only for 2xx
  std::string error_body;      // up to 16 KiB of the body otherwise
};

class HttpClient {
 public:
  HttpClient(Endpoint endpoint, HttpLimits limits);

  // A 2xx body goes to the front of `into`. kCorrupt/kWrongLength: it is longer than that.
  // kCorrupt/kNotAnObject: not HTTP. kUnavailable, kTimeout, kPermission (TLS), kCancelled: as
  // Stream. A kept connection that the server closed before it saw the request is replaced
  // silently.
  Task<Result<HttpAnswer>> Get(HttpRequest request, std::span<std::byte> into);

 private:
  class Exchange;
  struct Connection {
    std::unique_ptr<Stream> stream;
    bool reused = false;
  };
  Task<Result<Connection>> Take(bool fresh);
  void Keep(std::unique_ptr<Stream> stream);

  const Endpoint endpoint_;
  const HttpLimits limits_;
  std::vector<std::unique_ptr<Stream>> idle_;
};

}  // namespace prewarm::net
