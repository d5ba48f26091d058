// An HttpServer on a thread of its own, stopped at the end.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "common/async/io_thread.h"
#include "common/base/check.h"
#include "common/net/http_server.h"

namespace prewarm::rig {

class RunningHttpServer {
 public:
  explicit RunningHttpServer(net::HttpHandler handler, net::HttpServerOptions options = {}) {
    auto server =
        boost::asio::co_spawn(thread_.executor(),
                              Listen(thread_.executor(), std::move(options), std::move(handler)),
                              boost::asio::use_future)
            .get();
    PREWARM_CHECK(server.has_value(), server ? "" : server.error().message.c_str());
    server_ = *std::move(server);
  }
  RunningHttpServer(const RunningHttpServer&) = delete;
  RunningHttpServer& operator=(const RunningHttpServer&) = delete;
  ~RunningHttpServer() {
    if (server_) Stop(std::chrono::seconds(0));
  }

  void Stop(Duration grace) {
    boost::asio::co_spawn(thread_.executor(), End(std::move(server_), grace),
                          boost::asio::use_future)
        .get();
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] const net::HttpServerCounts& counts() const { return server_->counts(); }
  auto executor() { return thread_.executor(); }

 private:
  using Server = std::unique_ptr<net::HttpServer>;
  static Task<Result<Server>> Listen(boost::asio::any_io_executor executor,
                                     net::HttpServerOptions options, net::HttpHandler handler) {
    co_return net::HttpServer::Listen(executor, std::move(options), std::move(handler));
  }
  // On its own thread to the last: nothing of the server may be touched from elsewhere.
  static Task<void> End(Server server, Duration grace) { co_await server->Stop(grace); }

  IoThread thread_;
  Server server_;
};

}  // namespace prewarm::rig
