#include "common/net/http_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "tests/rig/run_task.h"
#include "tests/rig/socket_server.h"

namespace prewarm::net {
namespace {

using rig::RunTask;
using rig::ServedConnection;
using rig::SocketServer;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

std::string WithLength(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

// "some bytes of …" in two chunks, with all that a chunked body may carry.
std::string Chunked(const std::string& first, const std::string& second) {
  const auto chunk = [](const std::string& bytes, const std::string& extension) {
    std::array<char, 17> size{};
    std::snprintf(size.data(), size.size(), "%zx", bytes.size());
    return std::string(size.data()) + extension + "\r\n" + bytes + "\r\n";
  };
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(first, ";of=interest") +
         chunk(second, "") + "0\r\nx-trailer: 1\r\n\r\n";
}

std::string UntilClose(const std::string& body) { return "HTTP/1.1 200 OK\r\n\r\n" + body; }

// Bytes that differ from place to place.
std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 131 + i / 251);
  return bytes;
}

// As EXPECT_EQ, without printing long bytes.
testing::AssertionResult Same(const std::string& bytes, const std::string& expected) {
  if (bytes == expected) return testing::AssertionSuccess();
  const auto [at, there] = std::ranges::mismatch(bytes, expected);
  return testing::AssertionFailure()
         << bytes.size() << " bytes instead of " << expected.size() << ", the first difference at "
         << at - bytes.begin() << ": " << testing::PrintToString(bytes.substr(0, 60));
}

// Answers every request of every connection alike.
SocketServer::Handler AlwaysAnswer(std::string answer) {
  return [answer = std::move(answer)](ServedConnection& connection) {
    while (connection.ReadHead() && connection.Send(answer)) {
    }
  };
}

// Answers the first request of every connection, then closes it.
SocketServer::Handler AnswerAndClose(std::string answer, bool reset = false) {
  return [answer = std::move(answer), reset](ServedConnection& connection) {
    if (connection.ReadHead()) connection.Send(answer);
    if (reset) connection.ResetAtEnd();
  };
}

SocketServer::Handler AnswerAndSayNoMore(std::string answer) {
  return [answer = std::move(answer)](ServedConnection& connection) {
    if (connection.ReadHead()) connection.Send(answer);
    connection.StaySilent();
  };
}

HttpLimits Limits() {
  HttpLimits limits;
  limits.progress = 5s;
  limits.first_byte = 5s;
  return limits;
}

HttpRequest RequestFor(std::string target) {
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

void ExpectFailure(const Result<HttpAnswer>& answer, ErrorCode code, Reason reason) {
  ASSERT_FALSE(answer) << "status " << answer->status << ", " << answer->body_bytes << " bytes";
  EXPECT_EQ(CodeName(answer.error().code), CodeName(code)) << answer.error().message;
  EXPECT_EQ(ReasonName(answer.error().reason), ReasonName(reason)) << answer.error().message;
}

TEST(HttpClient, AsksAsItWasToldTo) {
  std::atomic<int> right = 0;
  const SocketServer server([&](ServedConnection& connection) {
    const auto head = connection.ReadHead();
    if (head == "GET /a%20b?c=d HTTP/1.1\r\nHost: 127.0.0.1\r\nrange: bytes=1-2\r\n\r\n") ++right;
    connection.Send(WithLength("x"));
  });
  Client client(server);
  auto request = RequestFor("/a%20b?c=d");
  request.headers = {{"range", "bytes=1-2"}};
  EXPECT_EQ(client.Body(client.Get(std::move(request))), "x");
  EXPECT_EQ(right, 1);
}

TEST(HttpClient, SendsManyRequestsOverOneConnection) {
  const std::string body = Pattern(100'000);
  const SocketServer server(AlwaysAnswer(WithLength(body)));
  Client client(server);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Same(client.Fetch(), body)) << "request " << i;
  EXPECT_EQ(server.accepted(), 1U);
}

TEST(HttpClient, KeepsAConnectionAfterAnErrorAnswerAndAChunkedOne) {
  const SocketServer server([](ServedConnection& connection) {
    connection.ReadHead();
    connection.Send(WithLength("no such key", "404 Not Found"));
    connection.ReadHead();
    connection.Send(Chunked("chunked", " body"));
    connection.ReadHead();
    connection.Send(WithLength("last"));
  });
  Client client(server);
  EXPECT_EQ(client.Get()->status, 404U);
  EXPECT_EQ(client.Fetch(), "chunked body");
  EXPECT_EQ(client.Fetch(), "last");
  EXPECT_EQ(server.accepted(), 1U);
}

TEST(HttpClient, GivesEveryPendingRequestAConnectionOfItsOwn) {
  const std::string body = Pattern(300'000);
  const SocketServer server(AlwaysAnswer(WithLength(body)));
  Client client(server);
  std::vector<std::vector<std::byte>> buffers(4, std::vector<std::byte>(body.size()));
  std::vector<std::optional<Result<HttpAnswer>>> answers(buffers.size());
  for (int round = 0; round < 3; ++round) {
    TaskGroup group(client.loop().get_executor());
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      group.Spawn("get",
                  rig::KeepResult(client.client().Get(RequestFor("/"), buffers[i]), answers[i]));
    }
    client.loop().restart();
    client.loop().run();
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      ASSERT_TRUE(answers[i] && *answers[i]);
      EXPECT_EQ(std::memcmp(buffers[i].data(), body.data(), body.size()), 0);
    }
  }
  EXPECT_EQ(server.accepted(), buffers.size());
}

TEST(HttpClient, ReplacesAKeptConnectionThatTheServerClosesInsteadOfAnswering) {
  const SocketServer server([](ServedConnection& connection) {
    connection.ReadHead();
    connection.Send(WithLength("from " + std::to_string(connection.number())));
    connection.ReadHead();  // and closes without an answer
  });
  Client client(server);
  EXPECT_EQ(client.Fetch(), "from 0");
  EXPECT_EQ(client.Fetch(), "from 1");
  EXPECT_EQ(client.Fetch(), "from 2");
}

TEST(HttpClient, ReplacesAKeptConnectionThatTheServerResets) {
  const SocketServer server([](ServedConnection& connection) {
    connection.ReadHead();
    connection.Send(WithLength("from " + std::to_string(connection.number())));
    if (connection.number() == 0) connection.ReadHead();
    connection.ResetAtEnd();
  });
  Client client(server);
  EXPECT_EQ(client.Fetch(), "from 0");
  EXPECT_EQ(client.Fetch(), "from 1");
}

TEST(HttpClient, DoesNotRepeatARequestOnAFreshConnection) {
  const SocketServer server([](ServedConnection& connection) { connection.ReadHead(); });
  Client client(server);
  ExpectFailure(client.Get(), ErrorCode::kUnavailable, Reason::kConnection);
  EXPECT_EQ(server.accepted(), 1U);
}

TEST(HttpClient, DoesNotRepeatARequestThatTheServerBeganToAnswer) {
  const SocketServer server([](ServedConnection& connection) {
    connection.ReadHead();
    connection.Send(WithLength("whole"));
    connection.ReadHead();
    connection.Send("HTTP/1.1 200");
  });
  Client client(server);
  EXPECT_EQ(client.Fetch(), "whole");
  ExpectFailure(client.Get(), ErrorCode::kUnavailable, Reason::kConnection);
  EXPECT_EQ(server.accepted(), 1U);
}

TEST(HttpClient, ConnectsAfreshWhenAskedTo) {
  const SocketServer server(AlwaysAnswer(WithLength("x")));
  Client client(server);
  EXPECT_EQ(client.Fetch(), "x");
  auto request = RequestFor("/");
  request.fresh_connection = true;
  EXPECT_EQ(client.Body(client.Get(std::move(request))), "x");
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(HttpClient, DropsAConnectionThatTheServerWillClose) {
  const SocketServer server(
      AlwaysAnswer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"));
  Client client(server);
  EXPECT_EQ(client.Fetch(), "x");
  EXPECT_EQ(client.Fetch(), "x");
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(HttpClient, DropsAConnectionWithBytesThatNobodyAskedFor) {
  for (const std::size_t length : {std::size_t{3}, std::size_t{200'000}}) {
    const std::string body = Pattern(length);
    const SocketServer server(AlwaysAnswer(WithLength(body) + "and more"));
    Client client(server);
    EXPECT_TRUE(Same(client.Fetch(), body));
    EXPECT_TRUE(Same(client.Fetch(), body))
        << "the rest of the first answer was taken for the second";
    EXPECT_EQ(server.accepted(), 2U);
  }
}

TEST(HttpClient, ReadsABodyWhereverItEnds) {
  for (const std::size_t size : {0U, 1U, 1000U, 16384U, 16385U, 500'000U}) {
    const std::string body = Pattern(size);
    const std::string half = body.substr(0, size / 2 + 1);
    for (const auto& answer :
         {WithLength(body), UntilClose(body),
          size < 2 ? WithLength(body) : Chunked(half, body.substr(half.size()))}) {
      const SocketServer server(AnswerAndClose(answer));
      Client client(server, Limits(), size);  // exactly as much space as there is body
      EXPECT_TRUE(Same(client.Fetch(), body)) << size << " bytes, " << answer.substr(0, 40);
    }
  }
}

TEST(HttpClient, LeavesTheBufferBehindTheBodyAlone) {
  const std::string body = Pattern(70'000);
  for (const auto& answer :
       {WithLength(body), UntilClose(body), Chunked(body.substr(0, 1), body.substr(1))}) {
    const SocketServer server(AnswerAndClose(answer));
    Client client(server);
    ASSERT_TRUE(Same(client.Fetch(), body));
    for (const std::byte byte : client.buffer().subspan(body.size())) {
      ASSERT_EQ(byte, Client::kUntouched);
    }
  }
}

TEST(HttpClient, RefusesABodyLongerThanTheBuffer) {
  const std::string body = Pattern(1001);
  for (const auto& answer :
       {WithLength(body), UntilClose(body), Chunked(body.substr(0, 1000), body.substr(1000)),
        WithLength(Pattern(300'000)), UntilClose(Pattern(300'000)),
        Chunked(Pattern(300'000), body)}) {
    const SocketServer server(AnswerAndClose(answer));
    Client client(server, Limits(), 1000);
    ExpectFailure(client.Get(), ErrorCode::kCorrupt, Reason::kWrongLength);
  }
}

TEST(HttpClient, ReportsABodyThatIsCutOff) {
  const std::string long_body = Pattern(200'000);
  for (const bool reset : {false, true}) {
    for (std::string answer : {WithLength("0123456789"), Chunked("01234", "56789"),
                               WithLength(long_body), Chunked(long_body, "x")}) {
      answer.resize(answer.size() - 7);
      const SocketServer server(AnswerAndClose(answer, reset));
      Client client(server);
      ExpectFailure(client.Get(), ErrorCode::kUnavailable, Reason::kConnection);
    }
  }
}

TEST(HttpClient, RefusesWhatIsNotHttp) {
  for (const std::string answer :
       {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n", "\r\n\r\n\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc"}) {
    const SocketServer server(AnswerAndSayNoMore(answer));
    Client client(server);
    SCOPED_TRACE(answer);
    ExpectFailure(client.Get(), ErrorCode::kCorrupt, Reason::kNotAnObject);
  }
}

TEST(HttpClient, RefusesAHeadWithoutEnd) {
  const std::string endless(40'000, 'x');
  for (const std::string& beginning :
       {std::string("HTTP/1.1 200 OK\r\nx-long: "),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;long=")}) {
    const SocketServer server(AnswerAndSayNoMore(beginning + endless));
    Client client(server);
    ExpectFailure(client.Get(), ErrorCode::kCorrupt, Reason::kNotAnObject);
  }
}

TEST(HttpClient, HandsOutTheTextOfARefusal) {
  const SocketServer server(AlwaysAnswer(WithLength("<Code>AccessDenied</Code>", "403 Forbidden")));
  Client client(server, Limits(), 4);  // the caller's buffer is not for that
  const auto answer = client.Get();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 403U);
  EXPECT_EQ(answer->error_body, "<Code>AccessDenied</Code>");
  EXPECT_EQ(answer->body_bytes, 0U);
  EXPECT_EQ(client.buffer()[0], Client::kUntouched);
}

TEST(HttpClient, HandsOutTheBeginningOfALongRefusal) {
  const std::string text = "<Code>AccessDenied</Code>" + std::string(100'000, ' ');
  for (const auto& answer :
       {WithLength(text, "403 Forbidden"), "HTTP/1.1 403 Forbidden\r\n\r\n" + text}) {
    const SocketServer server(AnswerAndClose(answer));
    Client client(server);
    const auto refusal = client.Get();
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->status, 403U);
    EXPECT_TRUE(Same(refusal->error_body, text.substr(0, 16 << 10)));
  }
}

TEST(HttpClient, KnowsTheStatusOfARefusalThatIsCutOff) {
  auto answer = WithLength("<Code>SlowDown</Code>", "503 Slow Down");
  answer.resize(answer.size() - 1);
  const SocketServer server(AnswerAndClose(answer, true));
  Client client(server);
  const auto refusal = client.Get();
  ASSERT_TRUE(refusal) << refusal.error().message;
  EXPECT_EQ(refusal->status, 503U);
}

TEST(HttpClient, ReadsAnAnswerThatIsSplitAnywhere) {
  const std::string body = Pattern(60);
  for (const auto& answer :
       {WithLength(body), UntilClose(body), Chunked(body.substr(0, 20), body.substr(20))}) {
    std::atomic<std::size_t> cut = 0;
    const SocketServer server([&](ServedConnection& connection) {
      connection.ReadHead();
      const std::size_t first = cut;
      connection.Send(std::string_view(answer).substr(0, first));
      // Long enough for the client to see the first part alone, most of the time.
      std::this_thread::sleep_for(std::chrono::microseconds(300));
      connection.Send(std::string_view(answer).substr(first));
    });
    Client client(server);
    for (cut = 0; cut <= answer.size(); ++cut) {
      auto request = RequestFor("/");
      request.fresh_connection = true;
      ASSERT_TRUE(Same(client.Body(client.Get(std::move(request))), body)) << "cut at " << cut;
    }
  }
}

TEST(HttpClient, GivesUpAnAnswerWithoutProgress) {
  auto answer = WithLength(Pattern(100'000));
  for (const std::size_t sent : {std::size_t{20}, answer.size() / 2, answer.size() - 1}) {
    const SocketServer server(AnswerAndSayNoMore(answer.substr(0, sent)));
    auto limits = Limits();
    limits.progress = 50ms;
    Client client(server, limits);
    ExpectFailure(client.Get(), ErrorCode::kTimeout, Reason::kTimeout);
  }
}

TEST(HttpClient, GivesUpWaitingForTheFirstByte) {
  const SocketServer server([](ServedConnection& connection) { connection.StaySilent(); });
  auto limits = Limits();
  limits.first_byte = 50ms;
  Client client(server, limits);
  ExpectFailure(client.Get(), ErrorCode::kTimeout, Reason::kTimeout);
  EXPECT_EQ(server.accepted(), 1U) << "a silent server is not asked twice";
}

TEST(HttpClient, HasPatienceWithAServerThatThinksBeforeItAnswersAndOneThatDrips) {
  const std::string answer = WithLength(Pattern(8));
  const SocketServer server([&](ServedConnection& connection) {
    connection.ReadHead();
    std::this_thread::sleep_for(600ms);  // longer than the limit of progress
    // In all again longer, byte by byte always shorter.
    for (const char byte : answer) {
      std::this_thread::sleep_for(20ms);
      connection.Send({&byte, 1});
    }
  });
  auto limits = Limits();
  limits.progress = 400ms;
  Client client(server, limits);
  EXPECT_EQ(client.Fetch(), Pattern(8));
}

TEST(HttpClient, ReportsAServerThatIsNotThere) {
  std::optional<SocketServer> server(AlwaysAnswer(""));
  Client client(*server);
  server.reset();
  ExpectFailure(client.Get(), ErrorCode::kUnavailable, Reason::kConnection);
}

Task<void> StopWhen(const std::atomic<bool>& ready, TaskGroup& group) {
  while (!ready) co_await SleepFor(1ms);
  group.Stop();
  co_await group.Join();
}

TEST(HttpClient, EndsAtOnceWhenItIsStopped) {
  const std::string half = WithLength(Pattern(100)).substr(0, 100);
  const std::string refusal = WithLength(Pattern(100), "503 Slow Down").substr(0, 100);
  for (const std::string& before : {std::string(), std::string("HTTP/1.1 200"), half, refusal}) {
    std::atomic<bool> asked = false;
    const SocketServer server([&](ServedConnection& connection) {
      connection.ReadHead();
      connection.Send(before);
      asked = true;
      connection.StaySilent();
    });
    Client client(server);
    std::optional<Result<HttpAnswer>> answer;
    TaskGroup work(client.loop().get_executor());
    TaskGroup control(client.loop().get_executor());
    work.Spawn("get",
               rig::KeepResult(client.client().Get(RequestFor("/"), client.buffer()), answer));
    control.Spawn("stop", StopWhen(asked, work));
    const auto start = std::chrono::steady_clock::now();
    client.loop().run();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 4s) << "waited for a time limit";
    ASSERT_TRUE(answer);
    ExpectFailure(*answer, ErrorCode::kCancelled, Reason::kCancelled);
  }
}

}  // namespace
}  // namespace prewarm::net
