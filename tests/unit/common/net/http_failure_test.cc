// What HttpClient does when the other side does not do as it should.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "common/net/http_client.h"
#include "tests/unit/common/net/http_rig.h"

namespace prewarm::net {
namespace {

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
