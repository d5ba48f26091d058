#include "common/net/stream_error.h"

#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <boost/beast/core/error.hpp>
#include <cerrno>

namespace prewarm::net {

Error StreamError(const boost::system::error_code& error, const std::string& what,
                  const std::string& peer) {
  namespace asio = boost::asio;
  const std::string message = what + " " + peer + ": ";
  if (error == asio::error::operation_aborted) {
    return Fail(ErrorCode::kCancelled, message + "stopped", Reason::kCancelled);
  }
  if (error == boost::beast::error::timeout) {
    return Fail(ErrorCode::kTimeout, message + "no answer in time", Reason::kTimeout);
  }
  if (error == asio::error::eof) {
    return Fail(ErrorCode::kUnavailable, message + "closed by the other side", Reason::kConnection);
  }
  return Fail(ErrorCode::kUnavailable, message + error.message(), Reason::kConnection);
}

bool NothingToRead(int socket) {
  char byte = 0;
  return ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace prewarm::net
