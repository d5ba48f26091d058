// The server's side of TLS: certificate, key and the authority of client certificates, read from
// files and read again when they change, so that a rotation needs no restart.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace boost::asio::ssl {
class context;  // NOLINT(readability-identifier-naming): the name is Asio's
}

namespace prewarm::net {

struct ServerTlsFiles {
  std::string certificate_file;  // chain, PEM
  std::string key_file;          // empty: in certificate_file
  std::string client_ca_file;    // empty: clients need no certificate
};

// Blocks on the files. kInvalidConfig names the one that cannot be used. TLS 1.2 at least.
Result<std::shared_ptr<boost::asio::ssl::context>> MakeServerTlsContext(const ServerTlsFiles&);

// Lives on one executor.
class ServerTls {
 public:
  // Told after every change of the files: OK, or why the old ones stay in force.
  using OnReload = std::function<void(const Status&)>;

  // Blocks on the files: for start-up. kInvalidConfig as above.
  static Result<std::unique_ptr<ServerTls>> Load(ServerTlsFiles files);

  // For one new connection.
  [[nodiscard]] const std::shared_ptr<boost::asio::ssl::context>& current() const {
    return current_;
  }
  // Looks at the files every `period`, on the pool, until it is stopped.
  Task<void> Follow(boost::asio::thread_pool& pool, Duration period, OnReload on_reload);

 private:
  ServerTls(ServerTlsFiles files, std::string seen,
            std::shared_ptr<boost::asio::ssl::context> context);

  const ServerTlsFiles files_;
  std::string seen_;  // what tells one state of the files from another
  std::shared_ptr<boost::asio::ssl::context> current_;
};

}  // namespace prewarm::net
