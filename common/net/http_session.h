// One connection of an HTTP server: reads requests, has them answered, writes the replies. Whatever
// bytes a peer sends, or does not send, ends in a request, a refusal or a closed connection.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/http_handler.h"
#include "common/net/stream.h"

namespace prewarm::net {

struct HttpServerLimits {
  std::size_t head_bytes = 16U << 10;   // 431 beyond
  std::size_t body_bytes = 256U << 10;  // 413 beyond
  // From the first byte of a request to the end of its head, and from there to the end of its body;
  // beyond, the connection is closed. A handshake has `head` as well.
  Duration head = std::chrono::seconds(10);
  Duration body = std::chrono::seconds(30);
  Duration idle = std::chrono::seconds(60);   // between requests
  Duration write = std::chrono::seconds(20);  // for a reply, or one piece of a stream, to be taken
  std::size_t connections = 2048;
  std::size_t connections_per_peer = 512;
  std::size_t requests = 256;  // that handlers have in hand; 429 beyond
  std::size_t streams = 256;   // 429 beyond; they do not count as requests
  // A connection whose request was refused by 429 is not read for so long: a peer that comes again
  // at once, instead of after Retry-After, would use up the time of those that are served.
  Duration rest = std::chrono::milliseconds(50);
};

// For metrics, from any thread. All but the first three only grow.
struct HttpServerCounts {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> requests{0};  // in hand
  std::atomic<std::uint64_t> streams{0};
  std::atomic<std::uint64_t> connections_accepted{0};
  std::atomic<std::uint64_t> connections_refused{0};
  std::atomic<std::uint64_t> handshakes_failed{0};
  std::atomic<std::uint64_t> requests_handled{0};
  std::atomic<std::uint64_t> requests_refused{0};  // by the server itself, handlers not asked
};

// What the sessions of a server share; touched on its executor only, but for the counts.
struct HttpService {
  HttpServerLimits limits;
  HttpHandler handler;
  std::vector<std::string> urgent_paths;  // answered however many requests are in hand
  HttpServerCounts counts;
  bool stopping = false;
};

class HttpSession final : public HttpReply {
 public:
  HttpSession(HttpService& service, std::unique_ptr<Stream> stream, std::string peer,
              const boost::asio::any_io_executor& executor);
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;
  ~HttpSession() override = default;

  // Until the peer, a limit, a refusal or the server ends the connection.
  Task<void> Run();
  // The server stops: an idle connection and a stream end at once, a request in hand is answered.
  void Finish();
  // Since when it waits for a request; nothing while it has one.
  [[nodiscard]] std::optional<SteadyTime> idle_since() const { return idle_since_; }

  Task<void> Send(HttpResponse response) override;
  Task<void> SendStream(HttpResponse head, Task<void> producer) override;
  Task<Status> Write(std::string_view piece) override;

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  // Status 0: nothing is said, the connection is closed.
  struct Refusal {
    unsigned status = 0;
    std::string_view why;
  };
  Task<bool> ServeOne();  // false: the connection ends
  Task<std::optional<Refusal>> ReadHead();
  Task<std::optional<Refusal>> ReadBody();
  Task<std::optional<Refusal>> Handle();
  [[nodiscard]] std::optional<Refusal> CheckHead() const;
  std::optional<Refusal> Parse();
  [[nodiscard]] Refusal RefusalFor(const boost::system::error_code& error) const;
  [[nodiscard]] bool MustRefuse(std::string_view path) const;
  Task<void> Refuse(Refusal refusal);
  Task<bool> Receive(Duration limit);  // false: nothing more comes
  Task<void> Linger();

  HttpServerRequest TakeRequest(HttpTarget target);
  [[nodiscard]] std::string Head(const HttpResponse& response, std::string_view framing) const;
  Task<Status> WriteOut(std::string_view bytes);
  Task<void> RunStream(Task<void> producer);
  static Task<void> Produce(HttpSession& session, Task<void> producer);
  static Task<void> WatchPeer(HttpSession& session);
  void EndStream();

  HttpService& service_;
  std::unique_ptr<Stream> stream_;
  const std::string peer_;
  const SystemClock clock_;
  boost::beast::flat_buffer buffer_;  // received, not parsed
  std::optional<Parser> parser_;
  boost::asio::steady_timer stream_end_;  // never expires: cancelled when the stream is to end
  std::size_t head_bytes_ = 0;            // parsed of this request's head
  bool starved_ = false;                  // the parser needs more than it was given
  std::optional<SteadyTime> idle_since_;
  bool replied_ = false;
  bool streaming_ = false;
  bool chunked_ = false;   // the stream's pieces go out as chunks
  bool keep_open_ = true;  // for another request
  bool broken_ = false;    // nothing more can be written
};

}  // namespace prewarm::net
