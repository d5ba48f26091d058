// The other end of an HTTP server under test: a plain blocking socket that sends what a test says,
// byte by byte if it wants to, and takes answers apart.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/check.h"

namespace prewarm::rig {

struct HttpAnswer {
  unsigned status = 0;                         // 0: there was no answer, or not the whole of one
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  [[nodiscard]] std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

class HttpExchange {
 public:
  // `from`: the address of 127.0.0.0/8 that the connection comes from.
  explicit HttpExchange(std::uint16_t port, const char* from = "127.0.0.1")
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, from, &address.sin_addr);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    PREWARM_CHECK(::bind(fd_, generic, sizeof address) == 0, "cannot bind");
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    PREWARM_CHECK(::connect(fd_, generic, sizeof address) == 0, "nobody listens");
  }
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;
  ~HttpExchange() { ::close(fd_); }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }
  void SendNoMore() { ::shutdown(fd_, SHUT_WR); }

  // Status and headers; none if the server closes before, or says nothing for 10 s.
  HttpAnswer ReadHead() {
    constexpr std::string_view kEnd = "\r\n\r\n";
    while (received_.find(kEnd) == std::string::npos) {
      if (!ReceiveMore()) return {};
    }
    const std::string head = Take(received_.find(kEnd) + kEnd.size());
    HttpAnswer answer;
    answer.status = head.starts_with("HTTP/1.1 ")
                        ? static_cast<unsigned>(std::atoi(head.substr(9, 3).c_str()))
                        : 0;
    for (auto at = head.find("\r\n") + 2; at < head.size() - 2;) {
      const auto end = head.find("\r\n", at);
      const auto colon = head.find(": ", at);
      std::string name = head.substr(at, colon - at);
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      answer.headers[name] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
    return answer;
  }

  // A whole answer; `head_only` for the answer to HEAD.
  HttpAnswer Read(bool head_only = false) {
    auto answer = ReadHead();
    if (head_only) return answer;
    if (answer.headers.contains("content-length")) {
      const auto length = std::stoul(answer.Header("content-length"));
      while (received_.size() < length) {
        if (!ReceiveMore()) return {};
      }
      answer.body = Take(length);
    } else if (answer.Header("transfer-encoding") == "chunked") {
      while (const auto piece = ReadChunk()) {
        if (piece->empty()) return answer;
        answer.body += *piece;
      }
      return {};
    }
    return answer;
  }

  HttpAnswer Ask(std::string_view request) {
    Send(request);
    return Read(request.starts_with("HEAD"));
  }
  HttpAnswer Get(const std::string& target) {
    return Ask("GET " + target + " HTTP/1.1\r\nHost: test\r\n\r\n");
  }

  // The next chunk of a chunked answer; empty: the last one; nothing: cut off.
  std::optional<std::string> ReadChunk() {
    while (received_.find("\r\n") == std::string::npos) {
      if (!ReceiveMore()) return std::nullopt;
    }
    const auto size = std::stoul(received_, nullptr, 16);
    Take(received_.find("\r\n") + 2);
    while (received_.size() < size + 2) {
      if (!ReceiveMore()) return std::nullopt;
    }
    std::string piece = Take(size);
    Take(2);
    return piece;
  }

  // Everything until the server closes; nothing if it does not within `limit`.
  std::optional<std::string> ReadToEnd(std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < end) {
      if (ReceiveMore(limit)) continue;
      if (closed_) return std::exchange(received_, "");
    }
    return std::nullopt;
  }

 private:
  std::string Take(std::size_t size) {
    std::string taken = received_.substr(0, size);
    received_.erase(0, size);
    return taken;
  }

  bool ReceiveMore(std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(limit.count())) <= 0) return false;
    std::array<char, 16384> bytes{};
    const auto size = ::recv(fd_, bytes.data(), bytes.size(), 0);
    closed_ = size <= 0;
    if (size > 0) received_.append(bytes.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  const int fd_;
  std::string received_;
  bool closed_ = false;
};

}  // namespace prewarm::rig
