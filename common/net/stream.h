// A connected byte stream: TCP, TLS over TCP, or a unix socket; every call has a time limit.
// Lives on one executor. One read and one write may be pending at the same time. After any error
// the stream is of no more use: drop it.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace boost::asio::ssl {
class context;  // NOLINT(readability-identifier-naming): the name is Asio's
}

namespace prewarm::net {

class Stream {
 public:
  virtual ~Stream() = default;
  // At least one byte, at most into.size(). kUnavailable "closed by …" at the end of the stream.
  // kTimeout, kUnavailable, kCancelled.
  virtual Task<Result<std::size_t>> ReadSome(std::span<std::byte> into, Duration limit) = 0;
  // All of it.
  virtual Task<Status> Write(std::span<const std::byte> bytes, Duration limit) = 0;
  // Abrupt, at once; safe to call twice. Pending calls end with kCancelled or kUnavailable.
  virtual void Close() = 0;
  // True if the other side has not closed and has sent nothing unasked: fit for another request.
  [[nodiscard]] virtual bool IdleAndOpen() = 0;
};

struct TlsOptions {
  std::string ca_file;           // empty: the system's trust store
  std::string certificate_file;  // client certificate, optional, PEM
  std::string key_file;
  bool verify = true;
  // The same as PEM texts instead of files.
  std::string ca_pem{};
  std::string certificate_pem{};
  Secret key_pem{};
};
// kInvalidConfig names the file that cannot be used. TLS 1.2 at least.
Result<std::shared_ptr<boost::asio::ssl::context>> MakeTlsContext(const TlsOptions& options);

struct Endpoint {
  std::string host;  // name or address
  std::uint16_t port = 0;
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plain
  std::string tls_server_name;                     // empty: host; used for SNI and verification
};

// Resolves afresh, tries the addresses in turn, shakes hands. kUnavailable (DNS, refused),
// kTimeout, kPermission (certificate not accepted; the message says why), kCancelled.
Task<Result<std::unique_ptr<Stream>>> Connect(Endpoint endpoint, Duration limit);
Task<Result<std::unique_ptr<Stream>>> ConnectUnix(std::string path, Duration limit);

// A plain stream over a connection that a server accepted; `peer` is for messages.
std::unique_ptr<Stream> AcceptPlain(boost::asio::ip::tcp::socket socket, std::string peer);

}  // namespace prewarm::net
