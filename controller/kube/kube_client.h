// KubeApi over HTTP/1.1 and TLS: kept connections for requests, a connection of its own for each
// watch, credentials that follow their files. Lives on one executor, and longer than every call.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <memory>

#include "common/base/clock.h"
#include "common/base/units.h"
#include "controller/kube/kube_api.h"
#include "controller/kube/kube_config.h"

namespace prewarm::controller::kube {

struct KubeClientOptions {
  Duration connect = std::chrono::seconds(10);
  std::size_t connections = 8;  // for requests at the same time; further ones wait
  std::size_t answer_limit = 64_MiB;
  std::size_t line_limit = 4_MiB;                       // of a watch
  Duration watch_grace = std::chrono::seconds(30);      // after a watch's own time
  Duration credentials_age = std::chrono::seconds(60);  // then the files are looked at again
  std::string user_agent = "prewarm-controller";
};

class KubeClient final : public KubeApi {
 public:
  // Blocks on the files of the configuration. kInvalidConfig names the one that cannot be used.
  // `pool` reads files; clock and pool outlive the client.
  static Result<std::unique_ptr<KubeClient>> Make(const boost::asio::any_io_executor& executor,
                                                  boost::asio::thread_pool& pool,
                                                  const Clock& clock, KubeConfig config,
                                                  KubeClientOptions options = {});
  ~KubeClient() override;

  Task<Result<KubeAnswer>> Send(KubeRequest request) override;
  Task<Result<KubeAnswer>> Watch(WatchRequest request, WatchSink sink) override;

 private:
  class State;
  explicit KubeClient(std::unique_ptr<KubeApi> api);
  const std::unique_ptr<KubeApi> api_;  // a State, behind a meter where there is one
};

}  // namespace prewarm::controller::kube
