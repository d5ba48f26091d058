// What the tests of HttpClient share: answers in every form HTTP has, servers that give them, and a
// client on a loop of its own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "common/net/http_client.h"
#include "tests/rig/run_task.h"
#include "tests/rig/socket_server.h"

namespace prewarm::net {

using rig::RunTask;
using rig::ServedConnection;
using rig::SocketServer;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

inline std::string WithLength(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

// "some bytes of …" in two chunks, with all that a chunked body may carry.
inline std::string Chunked(const std::string& first, const std::string& second) {
  const auto chunk = [](const std::string& bytes, const std::string& extension) {
    std::array<char, 17> size{};
    std::snprintf(size.data(), size.size(), "%zx", bytes.size());
    return std::string(size.data()) + extension + "\r\n" + bytes + "\r\n";
  };
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(first, ";of=interest") +
         chunk(second, "") + "0\r\nx-trailer: 1\r\n\r\n";
}

inline std::string UntilClose(const std::string& body) { return "HTTP/1.1 200 OK\r\n\r\n" + body; }

// Bytes that differ from place to place.
inline std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 131 + i / 251);
  return bytes;
}

// As EXPECT_EQ, without printing long bytes.
inline testing::AssertionResult Same(const std::string& bytes, const std::string& expected) {
  if (bytes == expected) return testing::AssertionSuccess();
  const auto [at, there] = std::ranges::mismatch(bytes, expected);
  return testing::AssertionFailure()
         << bytes.size() << " bytes instead of " << expected.size() << ", the first difference at "
         << at - bytes.begin() << ": " << testing::PrintToString(bytes.substr(0, 60));
}

// Answers every request of every connection alike.
inline SocketServer::Handler AlwaysAnswer(std::string answer) {
  return [answer = std::move(answer)](ServedConnection& connection) {
    while (connection.ReadHead() && connection.Send(answer)) {
    }
  };
}

// Answers the first request of every connection, then closes it.
inline SocketServer::Handler AnswerAndClose(std::string answer, bool reset = false) {
  return [answer = std::move(answer), reset](ServedConnection& connection) {
    if (connection.ReadHead()) connection.Send(answer);
    if (reset) connection.ResetAtEnd();
  };
}

inline SocketServer::Handler AnswerAndSayNoMore(std::string answer) {
  return [answer = std::move(answer)](ServedConnection& connection) {
    if (connection.ReadHead()) connection.Send(answer);
    connection.StaySilent();
  };
}

inline HttpLimits Limits() {
  HttpLimits limits;
  limits.progress = 5s;
  limits.first_byte = 5s;
  return limits;
}

inline HttpRequest RequestFor(std::string target) {
  HttpRequest request;
  request.target = std::move(target);
  request.host = "127.0.0.1";
  return request;
}

// A client, its loop and a buffer whose untouched bytes are recognised.
class Client {
 public:
  explicit Client(const SocketServer& server, HttpLimits limits = Limits(),
                  std::size_t space = 1 << 20)
      : client_({"127.0.0.1", server.port(), nullptr, ""}, limits), buffer_(space, kUntouched) {}

  Result<HttpAnswer> Get(HttpRequest request = RequestFor("/object")) {
    return RunTask(loop_, client_.Get(std::move(request), buffer_));
  }
  std::string Body(const Result<HttpAnswer>& answer) {
    if (!answer) return "failed: " + answer.error().message;
    return {reinterpret_cast<const char*>(buffer_.data()), answer->body_bytes};
  }
  std::string Fetch() { return Body(Get()); }

  boost::asio::io_context& loop() { return loop_; }
  HttpClient& client() { return client_; }
  std::span<std::byte> buffer() { return buffer_; }
  static constexpr std::byte kUntouched{0xee};

 private:
  boost::asio::io_context loop_;
  HttpClient client_;
  std::vector<std::byte> buffer_;
};

inline void ExpectFailure(const Result<HttpAnswer>& answer, ErrorCode code, Reason reason) {
  ASSERT_FALSE(answer) << "status " << answer->status << ", " << answer->body_bytes << " bytes";
  EXPECT_EQ(CodeName(answer.error().code), CodeName(code)) << answer.error().message;
  EXPECT_EQ(ReasonName(answer.error().reason), ReasonName(reason)) << answer.error().message;
}

}  // namespace prewarm::net
