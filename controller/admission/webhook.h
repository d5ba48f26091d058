// The port that the API server asks about pods, by TLS and without a token: the answer follows from
// the question alone and tells nothing of the cluster. Every replica answers, also a standby. Lives
// on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "common/net/http_server.h"

namespace prewarm::controller {

inline constexpr const char* kWebhookPath = "/prefer-warm";

// POST kWebhookPath with an AdmissionReview of at most 3 MiB; anything else gets 400, 404, 405 or
// 413. `options` says where and with which certificate; limits are set here. Errors as
// HttpServer::Listen.
Result<std::unique_ptr<net::HttpServer>> OpenWebhook(const boost::asio::any_io_executor& executor,
                                                     net::HttpServerOptions options);

}  // namespace prewarm::controller
