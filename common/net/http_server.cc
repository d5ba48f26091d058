#include "common/net/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <utility>

#include "common/async/deadline.h"
#include "common/base/check.h"
#include "common/net/tls_stream.h"

namespace prewarm::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kOutOfDescriptorsPause = std::chrono::milliseconds(50);
// Sent bytes that a peer does not acknowledge for so long end its connection: it is gone without
// having said so.
constexpr unsigned kUnacknowledgedMilliseconds = 30'000;

Result<asio::ip::address> AddressOf(const std::string& host) {
  if (host.empty()) return asio::ip::address(asio::ip::address_v6::any());
  if (host == "localhost") return asio::ip::address(asio::ip::address_v4::loopback());
  error_code error;
  auto address = asio::ip::make_address(host, error);
  if (error) {
    return Fail(ErrorCode::kInvalidConfig, "\"" + host + "\" is not an address to listen on");
  }
  return address;
}

Error CannotListen(const tcp::endpoint& at, const error_code& error) {
  auto code = ErrorCode::kInvalidConfig;
  if (error == asio::error::address_in_use) code = ErrorCode::kConflict;
  if (error == asio::error::access_denied) code = ErrorCode::kPermission;
  return Fail(code, "listening on " + at.address().to_string() + " port " +
                        std::to_string(at.port()) + ": " + error.message());
}

error_code Open(tcp::acceptor& acceptor, const tcp::endpoint& at) {
  error_code error;
  acceptor.open(at.protocol(), error);
  if (error) return error;
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (at.address() == asio::ip::address_v6::any()) {
    acceptor.set_option(asio::ip::v6_only(false), error);
  }
  acceptor.bind(at, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

Result<tcp::acceptor> ListenOn(const asio::any_io_executor& executor, const std::string& host,
                               std::uint16_t port) {
  TRY(const auto address, AddressOf(host));
  tcp::endpoint at(address, port);
  tcp::acceptor acceptor(executor);
  auto error = Open(acceptor, at);
  if (error && host.empty() && error != asio::error::address_in_use) {  // a machine without IPv6
    at.address(asio::ip::address_v4::any());
    acceptor = tcp::acceptor(executor);
    error = Open(acceptor, at);
  }
  if (error) return CannotListen(at, error);
  return acceptor;
}

// "::ffff:10.0.0.1" and "10.0.0.1" are the same peer.
asio::ip::address Plain(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address;
}

void Tune(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMilliseconds,
               sizeof kUnacknowledgedMilliseconds);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(const asio::any_io_executor& executor,
                                                       HttpServerOptions options,
                                                       HttpHandler handler) {
  std::unique_ptr<ServerTls> tls;
  if (options.tls) {
    PREWARM_CHECK(options.pool != nullptr, "TLS files are looked at on a pool");
    TRY(tls, ServerTls::Load(*options.tls));
  }
  TRY(auto acceptor, ListenOn(executor, options.host, options.port));
  std::unique_ptr<HttpServer> server(new HttpServer(
      executor, std::move(options), std::move(handler), std::move(tls), std::move(acceptor)));
  server->doors_.Spawn("http accept", server->Accept());
  if (server->tls_) {
    server->doors_.Spawn(
        "tls files", server->tls_->Follow(*server->options_.pool, server->options_.look_at_files,
                                          server->options_.on_tls_reload));
  }
  return server;
}

HttpServer::HttpServer(const asio::any_io_executor& executor, HttpServerOptions options,
                       HttpHandler handler, std::unique_ptr<ServerTls> tls, tcp::acceptor acceptor)
    : executor_(executor),
      options_(std::move(options)),
      tls_(std::move(tls)),
      acceptor_(std::move(acceptor)),
      grace_(executor),
      doors_(executor),
      connections_(executor) {
  service_.limits = options_.limits;
  service_.handler = std::move(handler);
  service_.urgent_paths = options_.urgent_paths;
  error_code ignored;
  port_ = acceptor_.local_endpoint(ignored).port();
}

HttpServer::~HttpServer() = default;

Task<void> HttpServer::Accept() {
  while (!co_await Stopping()) {
    auto [error, socket] = co_await acceptor_.async_accept(kAsTuple);
    if (!acceptor_.is_open()) co_return;
    if (!error) {
      Admit(std::move(socket));
    } else if (error != asio::error::connection_aborted) {
      co_await SleepFor(kOutOfDescriptorsPause);
    }
  }
}

void HttpServer::Admit(Socket socket) {
  error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const auto peer = Plain(endpoint.address());
  const auto known = connections_of_.find(peer);
  const bool too_many_of_one =
      known != connections_of_.end() && known->second >= service_.limits.connections_per_peer;
  const bool full = service_.counts.connections >= service_.limits.connections;
  if (too_many_of_one || (full && !CloseLongestIdle())) return TurnAway(std::move(socket));
  Tune(socket);
  ++service_.counts.connections;
  ++service_.counts.connections_accepted;
  ++connections_of_[peer];
  connections_.Spawn("http connection", Serve(std::move(socket), peer));
}

// Without waiting for anything: one packet, if it fits, is all that such a peer costs.
void HttpServer::TurnAway(Socket socket) {
  ++service_.counts.connections_refused;
  if (tls_) return;
  constexpr std::string_view kAnswer =
      "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
      "Connection: close\r\n\r\n";
  ::send(socket.native_handle(), kAnswer.data(), kAnswer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

// A connection that nobody uses makes room for one that somebody wants.
bool HttpServer::CloseLongestIdle() {
  HttpSession* longest = nullptr;
  for (HttpSession* session : sessions_) {
    if (!session->idle_since()) continue;
    if (longest == nullptr || *session->idle_since() < *longest->idle_since()) longest = session;
  }
  if (longest != nullptr) longest->Finish();
  return longest != nullptr;
}

Task<Result<std::unique_ptr<Stream>>> HttpServer::Shake(Socket socket, std::string peer) {
  if (!tls_) co_return AcceptPlain(std::move(socket), std::move(peer));
  co_return co_await AcceptTls(std::move(socket), tls_->current(), std::move(peer),
                               service_.limits.head);
}

Task<void> HttpServer::Serve(Socket socket, Address peer) {
  auto stream = co_await Shake(std::move(socket), peer.to_string());
  if (stream) {
    HttpSession session(service_, *std::move(stream), peer.to_string(), executor_);
    const auto place = sessions_.insert(sessions_.end(), &session);
    co_await session.Run();
    sessions_.erase(place);
  } else {
    ++service_.counts.handshakes_failed;
  }
  if (--connections_of_.at(peer) == 0) connections_of_.erase(peer);
  if (--service_.counts.connections == 0 && service_.stopping) grace_.cancel();
}

Task<void> HttpServer::Stop(Duration grace) {
  service_.stopping = true;
  error_code ignored;
  acceptor_.close(ignored);
  doors_.Stop();
  for (HttpSession* session : sessions_) session->Finish();
  grace_.expires_after(grace);
  if (service_.counts.connections > 0) co_await grace_.async_wait(kAsTuple);
  connections_.Stop();
  co_await connections_.Join();
  co_await doors_.Join();
}

}  // namespace prewarm::net
