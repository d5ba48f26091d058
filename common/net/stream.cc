#include "common/net/stream.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <iterator>
#include <optional>
#include <utility>

#include "common/net/stream_error.h"
#include "common/net/tls_stream.h"

namespace prewarm::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr auto kLookingUp = "looking up";
constexpr auto kConnecting = "connecting to";

// The transports differ only in what a read or write goes through and in what times them.
template <class Transport>
class BasicStream final : public Stream {
 public:
  BasicStream(Transport transport, std::string peer)
      : transport_(std::move(transport)), peer_(std::move(peer)) {}

  // A stop that comes between two operations cancels neither, so each asks before it begins.
  Task<Result<std::size_t>> ReadSome(std::span<std::byte> into, Duration limit) override {
    if (co_await Stopping()) {
      co_return StreamError(asio::error::operation_aborted, "reading from", peer_);
    }
    transport_.expires_after(limit);
    const auto [error, size] =
        co_await transport_.async_read_some(asio::buffer(into.data(), into.size()), kAsTuple);
    if (error) co_return StreamError(error, "reading from", peer_);
    co_return size;
  }

  Task<Status> Write(std::span<const std::byte> bytes, Duration limit) override {
    if (co_await Stopping()) {
      co_return StreamError(asio::error::operation_aborted, "writing to", peer_);
    }
    transport_.expires_after(limit);
    const auto [error, size] =
        co_await asio::async_write(transport_, asio::buffer(bytes.data(), bytes.size()), kAsTuple);
    if (error) co_return StreamError(error, "writing to", peer_);
    co_return Status();
  }

  void Close() override { transport_.close(); }

  [[nodiscard]] bool IdleAndOpen() override {
    auto& socket = transport_.socket();
    return socket.is_open() && NothingToRead(socket.native_handle());
  }

 private:
  Transport transport_;
  std::string peer_;
};

using UnixTransport = beast::basic_stream<asio::local::stream_protocol>;

Error BadTlsFile(const std::string& file, const error_code& error) {
  return Fail(ErrorCode::kInvalidConfig, file + ": " + error.message());
}

// The authority of the server's certificate.
Status Trust(asio::ssl::context& context, const TlsOptions& options) {
  error_code error;
  if (!options.ca_pem.empty()) {
    context.add_certificate_authority(asio::buffer(options.ca_pem), error);
    if (error) return BadTlsFile("the authority's certificate", error);
    // Asio takes a text without any certificate in it for a success.
    auto* store = SSL_CTX_get_cert_store(context.native_handle());
    if (sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) == 0) {
      return Fail(ErrorCode::kInvalidConfig, "the authority's certificate: no PEM certificate");
    }
  } else if (!options.ca_file.empty()) {
    context.load_verify_file(options.ca_file, error);
    if (error) return BadTlsFile(options.ca_file, error);
  } else {
    context.set_default_verify_paths(error);
    if (error) return BadTlsFile("the system's certificate store", error);
  }
  return {};
}

// Our own certificate, if there is one.
Status Identify(asio::ssl::context& context, const TlsOptions& options) {
  error_code error;
  if (!options.certificate_pem.empty()) {
    context.use_certificate_chain(asio::buffer(options.certificate_pem), error);
    if (error) return BadTlsFile("the client's certificate", error);
  } else if (!options.certificate_file.empty()) {
    context.use_certificate_chain_file(options.certificate_file, error);
    if (error) return BadTlsFile(options.certificate_file, error);
  } else {
    return {};
  }
  if (!options.key_pem.empty()) {
    context.use_private_key(asio::buffer(options.key_pem.Reveal()), asio::ssl::context::pem, error);
    if (error) return BadTlsFile("the client's key", error);
    return {};
  }
  const auto& key = options.key_file.empty() ? options.certificate_file : options.key_file;
  context.use_private_key_file(key, asio::ssl::context::pem, error);
  if (error) return BadTlsFile(key, error);
  return {};
}

// A peer that is gone without a word, machine and all, is noticed within a minute, also where
// nobody has anything to say.
void KeepAlive(asio::ip::tcp::socket& socket) {
  const int on = 1;
  const int idle_seconds = 30;
  const int between_seconds = 10;
  const int probes = 3;
  const auto set = [fd = socket.native_handle()](int level, int option, const int& value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, on);
  set(IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, between_seconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, probes);
}

}  // namespace

Result<std::shared_ptr<asio::ssl::context>> MakeTlsContext(const TlsOptions& options) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  TRY_STATUS(Trust(*context, options));
  TRY_STATUS(Identify(*context, options));
  context->set_verify_mode(options.verify ? asio::ssl::verify_peer : asio::ssl::verify_none);
  return context;
}

namespace {

using Addresses = asio::ip::tcp::resolver::results_type;

// A lookup that outlives its caller: the system's resolver blocks a thread of Asio's and cannot be
// interrupted, so that a caller who has waited long enough leaves it behind.
struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor)
      : resolver(executor), done(executor, asio::steady_timer::time_point::max()) {}
  asio::ip::tcp::resolver resolver;
  asio::steady_timer done;  // cancelled when the answer is there
  std::optional<error_code> error;
  Addresses addresses;
};

Task<Result<Addresses>> LookUp(Endpoint endpoint, std::string peer, Duration limit) {
  error_code not_an_address;
  const auto address = asio::ip::make_address(endpoint.host, not_an_address);
  if (!not_an_address) {
    co_return Addresses::create(asio::ip::tcp::endpoint(address, endpoint.port), endpoint.host,
                                std::to_string(endpoint.port));
  }
  const auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor);
  lookup->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port),
                                 [lookup](const error_code& error, const Addresses& addresses) {
                                   lookup->error = error;
                                   lookup->addresses = addresses;
                                   lookup->done.cancel();
                                 });
  lookup->done.expires_after(limit);
  co_await lookup->done.async_wait(kAsTuple);
  if (co_await Stopping()) co_return StreamError(asio::error::operation_aborted, kLookingUp, peer);
  if (!lookup->error) co_return StreamError(beast::error::timeout, kLookingUp, peer);
  if (*lookup->error) co_return StreamError(*lookup->error, kLookingUp, peer);
  co_return lookup->addresses;
}

// The addresses in turn. An address that does not answer gets half of the time that is left, so
// that the ones behind it have their chance.
Task<Result<beast::tcp_stream>> ConnectToAny(Addresses addresses, std::string peer,
                                             Duration limit) {
  const auto executor = co_await asio::this_coro::executor;
  Error last = StreamError(asio::error::host_not_found, kConnecting, peer);
  for (auto address = addresses.begin(); address != addresses.end(); ++address) {
    if (co_await Stopping()) {
      co_return StreamError(asio::error::operation_aborted, kConnecting, peer);
    }
    beast::tcp_stream tcp(executor);
    const Duration share = std::next(address) == addresses.end() ? limit : limit / 2;
    tcp.expires_after(share);
    const auto [error] = co_await tcp.async_connect(address->endpoint(), kAsTuple);
    if (!error) co_return tcp;
    last = StreamError(error, kConnecting, peer);
    if (error == beast::error::timeout) limit -= share;
  }
  co_return last;
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> Connect(Endpoint endpoint, Duration limit) {
  const std::string peer = endpoint.host + ":" + std::to_string(endpoint.port);
  CO_TRY(auto addresses, co_await LookUp(endpoint, peer, limit));
  CO_TRY(auto tcp, co_await ConnectToAny(std::move(addresses), peer, limit));
  error_code ignored;
  tcp.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  KeepAlive(tcp.socket());
  if (endpoint.tls == nullptr) {
    co_return std::make_unique<BasicStream<beast::tcp_stream>>(std::move(tcp), peer);
  }
  co_return co_await StartTls(tcp.release_socket(), std::move(endpoint), peer, limit);
}

Task<Result<std::unique_ptr<Stream>>> ConnectUnix(std::string path, Duration limit) {
  UnixTransport transport(co_await asio::this_coro::executor);
  transport.expires_after(limit);
  const auto [error] =
      co_await transport.async_connect(asio::local::stream_protocol::endpoint(path), kAsTuple);
  if (error) co_return StreamError(error, kConnecting, path);
  co_return std::make_unique<BasicStream<UnixTransport>>(std::move(transport), std::move(path));
}

std::unique_ptr<Stream> AcceptPlain(asio::ip::tcp::socket socket, std::string peer) {
  return std::make_unique<BasicStream<beast::tcp_stream>>(beast::tcp_stream(std::move(socket)),
                                                          std::move(peer));
}

}  // namespace prewarm::net
