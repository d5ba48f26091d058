#include "common/process/admin_port.h"

#include <atomic>
#include <cstdint>
#include <utility>

namespace prewarm {
namespace {

constexpr auto kPlainText = "text/plain; charset=utf-8";
constexpr auto kStopGrace = std::chrono::seconds(1);

net::HttpResponse Page(std::string body, const char* type = kPlainText, unsigned status = 200) {
  return {status, {{"Content-Type", type}, {"Cache-Control", "no-store"}}, std::move(body)};
}

Task<void> SendPage(const AdminPages& pages, const net::HttpServerRequest& request,
                    net::HttpReply& reply) {
  co_await reply.Send(pages.Answer(request));
}

ReadValue Reading(const std::atomic<std::uint64_t>& count) {
  return [&count] { return static_cast<double>(count.load(std::memory_order_relaxed)); };
}

}  // namespace

net::HttpResponse AdminPages::MetricsPage() const {
  return Page(sources_.metrics.Text(), "text/plain; version=0.0.4; charset=utf-8");
}

net::HttpResponse AdminPages::Health() const { return Page("ok\n"); }

net::HttpResponse AdminPages::Ready() const {
  const Readiness readiness = sources_.readiness();
  const auto& [ready, reason] = readiness;
  if (ready) return Page(reason.empty() ? "ready\n" : "ready: " + reason + "\n");
  return Page("not ready: " + reason + "\n", kPlainText, 503);
}

net::HttpResponse AdminPages::Config() const {
  return Page(sources_.config(), "application/yaml; charset=utf-8");
}

net::HttpResponse AdminPages::Answer(const net::HttpServerRequest& request) const {
  using PageOf = net::HttpResponse (AdminPages::*)() const;
  constexpr std::pair<std::string_view, PageOf> kPages[] = {{"/metrics", &AdminPages::MetricsPage},
                                                            {"/healthz", &AdminPages::Health},
                                                            {"/readyz", &AdminPages::Ready},
                                                            {"/config", &AdminPages::Config}};
  for (const auto& [path, page] : kPages) {
    if (request.target.path != path) continue;
    if (request.method == "GET" || request.method == "HEAD") return (this->*page)();
    auto refusal = net::PlainProblem(405, "this page can only be read");
    refusal.headers.emplace_back("Allow", "GET, HEAD");
    return refusal;
  }
  return net::PlainProblem(404, "there are /metrics, /healthz, /readyz and /config here");
}

std::vector<std::string> AdminPages::UrgentPaths() { return {"/metrics", "/healthz", "/readyz"}; }

Result<std::unique_ptr<AdminPort>> AdminPort::Listen(const boost::asio::any_io_executor& executor,
                                                     net::HttpServerOptions options,
                                                     AdminPages::Sources sources) {
  options.limits = net::HttpServerLimits();
  options.limits.body_bytes = 4U << 10;
  options.limits.connections = 128;
  options.limits.connections_per_peer = 64;
  options.urgent_paths = AdminPages::UrgentPaths();
  std::unique_ptr<AdminPort> port(new AdminPort(std::move(sources)));
  auto handler = [&pages = port->pages_](const net::HttpServerRequest& request,
                                         net::HttpReply& reply) {
    return SendPage(pages, request, reply);
  };
  TRY(port->server_, net::HttpServer::Listen(executor, std::move(options), std::move(handler)));
  return port;
}

Task<void> AdminPort::Stop() { return server_->Stop(kStopGrace); }

void AddHttpServerMetrics(Metrics& metrics, const std::string& prefix,
                          const net::HttpServerCounts& counts) {
  const std::string name = prefix + "_http_";
  metrics.ReadGauge(name + "connections", "Open HTTP connections.", Reading(counts.connections));
  metrics.ReadGauge(name + "requests_in_hand", "HTTP requests that are being answered.",
                    Reading(counts.requests));
  metrics.ReadGauge(name + "streams", "Open event streams.", Reading(counts.streams));
  metrics.ReadCounter(name + "connections_total", "HTTP connections accepted.",
                      Reading(counts.connections_accepted));
  metrics.ReadCounter(name + "connections_refused_total",
                      "HTTP connections turned away because too many were open.",
                      Reading(counts.connections_refused));
  metrics.ReadCounter(name + "handshakes_failed_total", "TLS handshakes that failed.",
                      Reading(counts.handshakes_failed));
  metrics.ReadCounter(name + "requests_total", "HTTP requests answered by a handler.",
                      Reading(counts.requests_handled));
  metrics.ReadCounter(name + "requests_refused_total",
                      "HTTP requests refused as malformed, too large, too slow or too many.",
                      Reading(counts.requests_refused));
}

}  // namespace prewarm
