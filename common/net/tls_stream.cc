#include "common/net/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/error.hpp>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "common/base/clock.h"
#include "common/net/stream_error.h"

namespace prewarm::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Sixteen records: what one recv() may bring, and what one ReadSome decrypts before it lets others
// have the thread.
constexpr std::size_t kReadAhead = 256 << 10;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using SslPointer = std::unique_ptr<SSL, Deleter<SSL_free>>;

// OpenSSL's own socket BIO writes with write(2), which kills the process by SIGPIPE when the other
// side is gone.
int SendToSocket(BIO* bio, const char* bytes, std::size_t size, std::size_t* sent) {
  const auto socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const auto result = ::send(socket, bytes, size, MSG_NOSIGNAL);
  BIO_clear_retry_flags(bio);
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  *sent = result > 0 ? static_cast<std::size_t>(result) : 0;
  return result > 0 ? 1 : 0;
}

int ReceiveFromSocket(BIO* bio, char* bytes, std::size_t size, std::size_t* received) {
  const auto socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const auto result = ::recv(socket, bytes, size, 0);
  BIO_clear_retry_flags(bio);
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (result == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  *received = result > 0 ? static_cast<std::size_t>(result) : 0;
  return result > 0 ? 1 : 0;
}

long ControlSocket(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// A method table for each stream: a shared one would be a global.
using MethodPointer = std::unique_ptr<BIO_METHOD, Deleter<BIO_meth_free>>;

MethodPointer MakeSocketMethod() {
  MethodPointer method(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket without signals"));
  BIO_meth_set_write_ex(method.get(), SendToSocket);
  BIO_meth_set_read_ex(method.get(), ReceiveFromSocket);
  BIO_meth_set_ctrl(method.get(), ControlSocket);
  return method;
}

bool IsEndOfStream(unsigned long error) {
  return error != 0 && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

class TlsStream final : public Stream {
 public:
  TlsStream(tcp::socket socket, std::shared_ptr<asio::ssl::context> context, std::string peer)
      : link_(std::make_shared<Link>(std::move(socket))),
        context_(std::move(context)),
        method_(MakeSocketMethod()),
        ssl_(SSL_new(context_->native_handle())),
        peer_(std::move(peer)) {
    error_code ignored;
    link_->socket.non_blocking(true, ignored);
    BIO* bio = BIO_new(method_.get());
    const std::intptr_t handle = link_->socket.native_handle();
    BIO_set_data(bio, reinterpret_cast<void*>(handle));  // NOLINT(performance-no-int-to-ptr)
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_read_ahead(ssl_.get(), 1);
    SSL_set_default_read_buffer_len(ssl_.get(), kReadAhead);
  }
  ~TlsStream() override { Close(); }

  // `step` is SSL_connect or SSL_accept.
  Task<Status> ShakeHands(int (*step)(SSL*), Duration limit);
  SSL* ssl() { return ssl_.get(); }

  Task<Result<std::size_t>> ReadSome(std::span<std::byte> into, Duration limit) override;
  Task<Status> Write(std::span<const std::byte> bytes, Duration limit) override;
  void Close() override;
  [[nodiscard]] bool IdleAndOpen() override;

 private:
  // One direction's wait for the socket, and its time limit.
  struct Limit {
    explicit Limit(const tcp::socket::executor_type& executor) : timer(executor) {}
    asio::steady_timer timer;
    std::uint64_t waits = 0;  // tells a timer of an earlier wait from this one's
  };
  // Shared with timers that may still be on their way when the stream is gone.
  struct Link {
    explicit Link(tcp::socket the_socket)
        : socket(std::move(the_socket)),
          reading(socket.get_executor()),
          writing(socket.get_executor()) {}
    tcp::socket socket;
    Limit reading;
    Limit writing;
    bool timed_out = false;
  };

  // After an OpenSSL call that did not succeed: waits for what it lacks, or says what went wrong.
  Task<Status> Continue(int result, const char* what, Limit& limit, Duration duration);
  Task<Status> WaitFor(tcp::socket::wait_type event, const char* what, Limit& limit,
                       Duration duration);
  [[nodiscard]] Error SslError(int kind, const char* what) const;

  std::shared_ptr<Link> link_;
  std::shared_ptr<asio::ssl::context> context_;
  MethodPointer method_;
  SslPointer ssl_;
  std::string peer_;
};

Task<Status> TlsStream::WaitFor(tcp::socket::wait_type event, const char* what, Limit& limit,
                                Duration duration) {
  if (co_await Stopping()) {
    co_return StreamError(asio::error::operation_aborted, what, peer_);
  }
  const auto wait = ++limit.waits;
  limit.timer.expires_after(duration);
  limit.timer.async_wait([link = link_, &limit, wait](const error_code& cut_short) {
    if (cut_short || limit.waits != wait) return;
    link->timed_out = true;
    error_code ignored;
    link->socket.cancel(ignored);
  });
  auto [error] = co_await link_->socket.async_wait(event, kAsTuple);
  ++limit.waits;
  limit.timer.cancel();
  if (link_->timed_out) error = boost::beast::error::timeout;
  if (error) co_return StreamError(error, what, peer_);
  co_return Status();
}

Error TlsStream::SslError(int kind, const char* what) const {
  const auto code = ERR_get_error();
  if (kind == SSL_ERROR_ZERO_RETURN || IsEndOfStream(code)) {
    return StreamError(asio::error::eof, what, peer_);
  }
  if (code == 0) {
    const int number = errno;
    const error_code error = kind == SSL_ERROR_SYSCALL && number != 0
                                 ? error_code(number, boost::system::system_category())
                                 : error_code(asio::error::eof);
    return StreamError(error, what, peer_);
  }
  const char* reason = ERR_reason_error_string(code);
  const std::string message =
      std::string(what) + " " + peer_ + ": " + (reason == nullptr ? "TLS failed" : reason);
  // An alert of the other side: it refuses us. In TLS 1.3 that a client certificate is missing or
  // wrong is told only after the handshake, in answer to the first bytes.
  const bool refused = ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
  return Fail(refused ? ErrorCode::kPermission : ErrorCode::kUnavailable, message,
              Reason::kConnection);
}

Task<Status> TlsStream::Continue(int result, const char* what, Limit& limit, Duration duration) {
  const int kind = SSL_get_error(ssl_.get(), result);
  if (kind == SSL_ERROR_WANT_READ) {
    co_return co_await WaitFor(tcp::socket::wait_read, what, limit, duration);
  }
  if (kind == SSL_ERROR_WANT_WRITE) {
    co_return co_await WaitFor(tcp::socket::wait_write, what, limit, duration);
  }
  co_return SslError(kind, what);
}

Task<Status> TlsStream::ShakeHands(int (*step)(SSL*), Duration limit) {
  constexpr auto kWhat = "TLS with";
  const SystemClock clock;
  const auto end = clock.Now() + limit;  // for all round trips together
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = step(ssl_.get());
    if (result == 1) co_return Status();
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_SSL && !IsEndOfStream(ERR_peek_error())) {
      Error error = SslError(SSL_ERROR_SSL, kWhat);
      error.code = ErrorCode::kPermission;
      if (const long verdict = SSL_get_verify_result(ssl_.get()); verdict != X509_V_OK) {
        error.message =
            std::string(kWhat) + " " + peer_ + ": " + X509_verify_cert_error_string(verdict);
      }
      co_return error;
    }
    CO_TRY_STATUS(co_await Continue(result, kWhat, link_->reading, end - clock.Now()));
  }
}

Task<Result<std::size_t>> TlsStream::ReadSome(std::span<std::byte> into, Duration limit) {
  const auto space = into.first(std::min(into.size(), kReadAhead));
  std::size_t done = 0;
  for (;;) {
    ERR_clear_error();
    errno = 0;
    std::size_t size = 0;
    const int result = SSL_read_ex(ssl_.get(), space.data() + done, space.size() - done, &size);
    if (result == 1) {
      done += size;
      if (done == space.size()) co_return done;
      continue;
    }
    // An error after some bytes will be there again at the next call.
    if (done > 0) co_return done;
    CO_TRY_STATUS(co_await Continue(result, "reading from", link_->reading, limit));
  }
}

Task<Status> TlsStream::Write(std::span<const std::byte> bytes, Duration limit) {
  while (!bytes.empty()) {
    ERR_clear_error();
    errno = 0;
    std::size_t size = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &size);
    if (result == 1) {
      bytes = bytes.subspan(size);
      continue;
    }
    CO_TRY_STATUS(co_await Continue(result, "writing to", link_->writing, limit));
  }
  co_return Status();
}

void TlsStream::Close() {
  error_code ignored;
  link_->socket.close(ignored);
  link_->reading.timer.cancel();
  link_->writing.timer.cancel();
}

bool TlsStream::IdleAndOpen() {
  return link_->socket.is_open() && SSL_has_pending(ssl_.get()) == 0 &&
         NothingToRead(link_->socket.native_handle());
}

// What the certificate must be for. OpenSSL checks it by itself, so that it can tell a wrong name
// from an untrusted issuer.
bool ExpectPeer(SSL* ssl, const std::string& name) {
  error_code not_an_address;
  asio::ip::make_address(name, not_an_address);
  if (!not_an_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(ssl, name.c_str()) == 1 && SSL_set1_host(ssl, name.c_str()) == 1;
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> StartTls(tcp::socket socket, Endpoint endpoint,
                                               std::string peer, Duration limit) {
  const auto& name = endpoint.tls_server_name.empty() ? endpoint.host : endpoint.tls_server_name;
  auto stream = std::make_unique<TlsStream>(std::move(socket), endpoint.tls, std::move(peer));
  if (!ExpectPeer(stream->ssl(), name)) {
    co_return Fail(ErrorCode::kInternal, "\"" + name + "\" cannot be the name of a TLS server");
  }
  CO_TRY_STATUS(co_await stream->ShakeHands(SSL_connect, limit));
  co_return stream;
}

Task<Result<std::unique_ptr<Stream>>> AcceptTls(tcp::socket socket,
                                                std::shared_ptr<asio::ssl::context> context,
                                                std::string peer, Duration limit) {
  auto stream = std::make_unique<TlsStream>(std::move(socket), std::move(context), std::move(peer));
  CO_TRY_STATUS(co_await stream->ShakeHands(SSL_accept, limit));
  co_return stream;
}

}  // namespace prewarm::net
