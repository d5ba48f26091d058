#include "controller/admission/webhook.h"

#include <utility>

#include "controller/admission/warm_preference.h"

namespace prewarm::controller {
namespace {

// As much as the API server takes itself.
constexpr std::size_t kLongestReview = 3U << 20;

net::HttpResponse Answer(const net::HttpServerRequest& request) {
  if (request.target.path != kWebhookPath) return net::PlainProblem(404, "nothing is here");
  if (request.method != "POST") {
    auto refused = net::PlainProblem(405, "reviews come by POST");
    refused.headers.emplace_back("Allow", "POST");
    return refused;
  }
  auto answer = AnswerReview(request.body);
  if (!answer) return net::PlainProblem(400, answer.error().message);
  return {200, {{"Content-Type", "application/json"}}, *std::move(answer)};
}

}  // namespace

Result<std::unique_ptr<net::HttpServer>> OpenWebhook(const boost::asio::any_io_executor& executor,
                                                     net::HttpServerOptions options) {
  options.limits.body_bytes = kLongestReview;
  options.limits.requests = 64;
  options.limits.connections = 256;
  return net::HttpServer::Listen(
      executor, std::move(options),
      [](const net::HttpServerRequest& request, net::HttpReply& reply) -> Task<void> {
        co_await reply.Send(Answer(request));
      });
}

}  // namespace prewarm::controller
