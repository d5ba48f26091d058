// TLS over a connected socket. OpenSSL reads the socket itself, many records at a time: going
// through Asio's stream, which takes one record of 16 KiB for each wake-up, costs twice the CPU.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/net/stream.h"

namespace prewarm::net {

// Shakes hands as a client; the certificate must be for the endpoint's tls_server_name or host.
// kPermission: the certificate is not accepted, the message says why; otherwise as Stream.
Task<Result<std::unique_ptr<Stream>>> StartTls(boost::asio::ip::tcp::socket socket,
                                               Endpoint endpoint, std::string peer, Duration limit);

// Shakes hands as a server. Errors as above: kPermission where the client's certificate is not
// accepted or the client does not accept ours.
Task<Result<std::unique_ptr<Stream>>> AcceptTls(boost::asio::ip::tcp::socket socket,
                                                std::shared_ptr<boost::asio::ssl::context> context,
                                                std::string peer, Duration limit);

}  // namespace prewarm::net
