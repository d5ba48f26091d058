// An HTTP/1.1 server for REST, metrics and probes: plain or TLS, on one executor, within limits
// that no peer can talk it out of. Routing is the handler's.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "common/net/http_session.h"
#include "common/net/server_tls.h"

namespace prewarm::net {

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // an address, "localhost", or "": every address of the machine
  std::uint16_t port = 0;          // 0: a free one
  HttpServerLimits limits;
  // Answered however many requests are in hand, so that a server under load is not taken for a dead
  // one.
  std::vector<std::string> urgent_paths;
  std::optional<ServerTlsFiles> tls;
  // With TLS: where and how often the files are looked at, and who hears of a change.
  boost::asio::thread_pool* pool = nullptr;
  Duration look_at_files = std::chrono::seconds(1);
  ServerTls::OnReload on_tls_reload;
};

class HttpServer {
 public:
  // Listens from now on; on `executor`, which is single-threaded, as everything else here.
  // kInvalidConfig: host or TLS files cannot be used; kConflict: the port is taken; kPermission.
  static Result<std::unique_ptr<HttpServer>> Listen(const boost::asio::any_io_executor& executor,
                                                    HttpServerOptions options, HttpHandler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // after Stop

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const HttpServerCounts& counts() const { return service_.counts; }

  // Accepts no more, ends idle connections and streams at once, lets requests in hand be answered
  // within `grace`, then stops their handlers too. Returns when nothing of the server runs.
  Task<void> Stop(Duration grace);

 private:
  using Socket = boost::asio::ip::tcp::socket;
  using Address = boost::asio::ip::address;

  HttpServer(const boost::asio::any_io_executor& executor, HttpServerOptions options,
             HttpHandler handler, std::unique_ptr<ServerTls> tls,
             boost::asio::ip::tcp::acceptor acceptor);
  Task<void> Accept();
  void Admit(Socket socket);
  void TurnAway(Socket socket);
  bool CloseLongestIdle();  // false: none is idle
  Task<void> Serve(Socket socket, Address peer);
  Task<Result<std::unique_ptr<Stream>>> Shake(Socket socket, std::string peer);

  const boost::asio::any_io_executor executor_;
  const HttpServerOptions options_;
  HttpService service_;
  std::unique_ptr<ServerTls> tls_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::map<Address, std::size_t> connections_of_;
  std::list<HttpSession*> sessions_;
  boost::asio::steady_timer grace_;
  TaskGroup doors_;  // accepting, looking after certificates
  TaskGroup connections_;
};

}  // namespace prewarm::net
