// What every program tells operators and machines about itself over HTTP: /metrics for Prometheus,
// /healthz (it runs) and /readyz (it can do its work) for probes, /config (what is in force).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/net/http_server.h"
#include "common/process/metrics.h"

namespace prewarm {

struct Readiness {
  bool ready = false;
  std::string reason;  // why not, or what more there is to know, for people; never a secret
};

// The pages alone, for a program that has them on a port with other things. Lives as long as it is
// asked; what it refers to, too.
class AdminPages {
 public:
  struct Sources {
    const Metrics& metrics;
    std::function<Readiness()> readiness;
    std::function<std::string()> config;  // as PrintConfig() gives it: secrets are *** there
  };
  explicit AdminPages(Sources sources) : sources_(std::move(sources)) {}

  [[nodiscard]] net::HttpResponse MetricsPage() const;
  [[nodiscard]] net::HttpResponse Health() const;
  // 503 with the reason while it is not ready.
  [[nodiscard]] net::HttpResponse Ready() const;
  [[nodiscard]] net::HttpResponse Config() const;
  // The page of a path, for GET and HEAD; 404 and 405 otherwise.
  [[nodiscard]] net::HttpResponse Answer(const net::HttpServerRequest& request) const;

  // Pages that are answered however busy the server is: HttpServerOptions::urgent_paths.
  static std::vector<std::string> UrgentPaths();

 private:
  const Sources sources_;
};

// A port with these pages and nothing else. Small limits: it serves probes and one Prometheus.
class AdminPort {
 public:
  // `options.limits` is set here. Errors as HttpServer::Listen.
  static Result<std::unique_ptr<AdminPort>> Listen(const boost::asio::any_io_executor& executor,
                                                   net::HttpServerOptions options,
                                                   AdminPages::Sources sources);
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  Task<void> Stop();

 private:
  explicit AdminPort(AdminPages::Sources sources) : pages_(std::move(sources)) {}

  const AdminPages pages_;
  std::unique_ptr<net::HttpServer> server_;
};

// Adds what an HTTP server counts, as <prefix>_http_…; the server lives as long as the metrics are
// read.
void AddHttpServerMetrics(Metrics& metrics, const std::string& prefix,
                          const net::HttpServerCounts& counts);

}  // namespace prewarm
