// A server that does on a socket exactly what a test says, with real connections on a free port of
// 127.0.0.1: for answers that no real server gives on demand. One thread for each connection.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/async/guarded.h"

namespace prewarm::rig {

class ServedConnection {
 public:
  ServedConnection(int fd, std::size_t number) : fd_(fd), number_(number) {}

  // The next request up to and including its blank line; nothing once the other side has closed.
  std::optional<std::string> ReadHead();
  // False if the other side is gone.
  bool Send(std::string_view bytes);
  // The next close is abrupt: an RST instead of a FIN.
  void ResetAtEnd();
  // Says nothing until the other side closes or the server stops.
  void StaySilent();
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  const int fd_;
  const std::size_t number_;
  std::string received_;
};

class SocketServer {
 public:
  // Serves one connection; it is closed when this returns.
  using Handler = std::function<void(ServedConnection&)>;

  explicit SocketServer(Handler handler);
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;
  ~SocketServer();  // ends every connection; handlers see Send and ReadHead fail

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::size_t accepted() const { return accepted_; }
  [[nodiscard]] bool stopping() const { return stopping_; }

 private:
  void Accept();
  void Serve(int fd, std::size_t number);

  const Handler handler_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> accepted_ = 0;
  Guarded<std::list<int>> open_;
  std::vector<std::jthread> threads_;  // touched by the accepting thread, then by the destructor
  std::jthread accepting_;
};

}  // namespace prewarm::rig
