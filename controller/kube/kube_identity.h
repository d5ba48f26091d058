// Who we are to the API server and whom we trust: TLS context and token, read again from their
// files when these change. Lives on one executor; files are read on a pool.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "common/async/signal.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/kube/kube_config.h"

namespace boost::asio::ssl {
class context;  // NOLINT(readability-identifier-naming): the name is Asio's
}

namespace prewarm::controller::kube {

struct Credentials {
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plain
  Secret token;                                    // empty: none
};

class KubeIdentity {
 public:
  // Blocks on the files. kInvalidConfig.
  static Result<std::unique_ptr<KubeIdentity>> Load(const boost::asio::any_io_executor& executor,
                                                    boost::asio::thread_pool& pool,
                                                    const Clock& clock, const KubeConfig& config);

  [[nodiscard]] const Credentials& current() const { return current_; }
  // Grows with every change of current().
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

  // Looks at the files if the last look is longer ago than `age`.
  Task<void> Refresh(Duration age);
  // The server did not accept the credentials of this generation. True: there are newer ones now.
  Task<bool> Replace(std::uint64_t refused);

 private:
  KubeIdentity(const boost::asio::any_io_executor& executor, boost::asio::thread_pool& pool,
               const Clock& clock, KubeConfig config, std::string seen, Credentials credentials);
  Task<void> Look();

  boost::asio::thread_pool& pool_;
  const Clock& clock_;
  const KubeConfig config_;
  std::string seen_;  // what tells one state of the files from another
  Credentials current_;
  std::uint64_t generation_ = 1;
  SteadyTime looked_;
  bool looking_ = false;
  Signal look_done_;
};

}  // namespace prewarm::controller::kube
