#include "tests/rig/socket_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "common/base/check.h"

namespace prewarm::rig {

std::optional<std::string> ServedConnection::ReadHead() {
  constexpr std::string_view kEnd = "\r\n\r\n";
  for (;;) {
    if (const auto end = received_.find(kEnd); end != std::string::npos) {
      std::string head = received_.substr(0, end + kEnd.size());
      received_.erase(0, head.size());
      return head;
    }
    std::array<char, 4096> bytes{};
    const auto size = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (size <= 0) return std::nullopt;
    received_.append(bytes.data(), static_cast<std::size_t>(size));
  }
}

bool ServedConnection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

void ServedConnection::ResetAtEnd() {
  const linger abrupt{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
}

void ServedConnection::StaySilent() {
  std::array<char, 4096> bytes{};
  while (::recv(fd_, bytes.data(), bytes.size(), 0) > 0) {
  }
}

SocketServer::SocketServer(Handler handler)
    : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  PREWARM_CHECK(::bind(listener_, generic, size) == 0 && ::listen(listener_, 128) == 0 &&
                    ::getsockname(listener_, generic, &size) == 0,
                "cannot listen on 127.0.0.1");
  port_ = ntohs(address.sin_port);
  accepting_ = std::jthread([this] { Accept(); });
}

SocketServer::~SocketServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  open_.With([](auto& sockets) {
    for (const int fd : sockets) ::shutdown(fd, SHUT_RDWR);
  });
  threads_.clear();
  ::close(listener_);
}

void SocketServer::Accept() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    open_.With([fd](auto& sockets) { sockets.push_back(fd); });
    threads_.emplace_back([this, fd, number = accepted_++] { Serve(fd, number); });
  }
}

void SocketServer::Serve(int fd, std::size_t number) {
  ServedConnection connection(fd, number);
  handler_(connection);
  // Under the lock, so that the destructor never shuts down a number that was given away again.
  open_.With([fd](auto& sockets) {
    sockets.remove(fd);
    ::close(fd);
  });
}

}  // namespace prewarm::rig
