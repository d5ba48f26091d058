#include "common/net/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/async/task_group.h"
#include "tests/unit/common/net/http_rig.h"

namespace prewarm::net {
namespace {

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

}  // namespace
}  // namespace prewarm::net
