// The server as a peer sees it, over real sockets.
#include "common/net/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "common/async/deadline.h"
#include "tests/rig/child_process.h"
#include "tests/rig/http_exchange.h"
#include "tests/rig/running_http_server.h"

namespace prewarm::net {
namespace {

using rig::HttpExchange;
using rig::RunningHttpServer;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

Task<void> SendEcho(const HttpServerRequest& request, HttpReply& reply) {
  std::string text = request.method + " " + request.target.path;
  for (const auto& [name, value] : request.target.query) text += " " + name + "=" + value;
  text += " [" + request.body + "] from " + request.peer;
  co_await reply.Send({200, {{"Content-Type", "text/plain"}}, text});
}

HttpHandler Echo() {
  return
      [](const HttpServerRequest& request, HttpReply& reply) { return SendEcho(request, reply); };
}

HttpHandler AlwaysSend(HttpResponse response) {
  return [response = std::move(response)](const HttpServerRequest&, HttpReply& reply) {
    return reply.Send(response);
  };
}

std::string Post(const std::string& body, const std::string& more = "") {
  return "POST /x HTTP/1.1\r\nHost: test\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(HttpServer, AnswersSeveralRequestsOnOneConnection) {
  const RunningHttpServer server(Echo());
  HttpExchange peer(server.port());
  for (int i = 0; i < 3; ++i) {
    const auto answer = peer.Get("/a%20b?c=d");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, "GET /a b c=d [] from 127.0.0.1");
    EXPECT_EQ(answer.Header("content-type"), "text/plain");
    EXPECT_EQ(answer.Header("connection"), "");
    EXPECT_TRUE(answer.Header("date").ends_with(" GMT")) << answer.Header("date");
  }
  EXPECT_EQ(server.counts().connections_accepted, 1U);
  EXPECT_TRUE(rig::WaitFor([&server] { return server.counts().requests_handled == 3; }));
}

TEST(HttpServer, ReadsBodiesOfEveryForm) {
  const RunningHttpServer server(Echo());
  HttpExchange peer(server.port());
  EXPECT_EQ(peer.Ask(Post("some bytes")).body, "POST /x [some bytes] from 127.0.0.1");
  EXPECT_EQ(peer.Ask("PUT /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "4;note=1\r\nsome\r\n6\r\n bytes\r\n0\r\nTrailer: x\r\n\r\n")
                .body,
            "PUT /x [some bytes] from 127.0.0.1");
  EXPECT_EQ(peer.Ask("DELETE /x HTTP/1.1\r\nHost: t\r\n\r\n").body, "DELETE /x [] from 127.0.0.1");
}

TEST(HttpServer, ReadsARequestThatComesByteByByteAndRequestsThatComeTogether) {
  const RunningHttpServer server(Echo());
  HttpExchange peer(server.port());
  for (const char c : Post("slow")) ASSERT_TRUE(peer.Send({&c, 1}));
  EXPECT_EQ(peer.Read().body, "POST /x [slow] from 127.0.0.1");
  peer.Send(Post("one") + "\r\n" + Post("two") + "GET /three HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(peer.Read().body, "POST /x [one] from 127.0.0.1");
  EXPECT_EQ(peer.Read().body, "POST /x [two] from 127.0.0.1");
  EXPECT_EQ(peer.Read().body, "GET /three [] from 127.0.0.1");
}

TEST(HttpServer, SendsNoBodyToHead) {
  const RunningHttpServer server(Echo());
  HttpExchange peer(server.port());
  const auto answer = peer.Ask("HEAD /x HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(answer.Header("content-length"),
            std::to_string(std::string("HEAD /x [] from 127.0.0.1").size()));
  EXPECT_EQ(peer.Get("/x").body, "GET /x [] from 127.0.0.1") << "a body would stand before it";
}

TEST(HttpServer, SendsNoBodyWhereTheStatusHasNone) {
  const RunningHttpServer server(AlwaysSend({204, {}, "ignored"}));
  HttpExchange peer(server.port());
  const auto answer = peer.Get("/");
  EXPECT_EQ(answer.status, 204U);
  EXPECT_FALSE(answer.headers.contains("content-length"));
  EXPECT_EQ(peer.Get("/").status, 204U);
}

TEST(HttpServer, ClosesWhenAskedAndKeepsHttp10OpenWhenAsked) {
  const RunningHttpServer server(Echo());
  HttpExchange closing(server.port());
  const auto answer = closing.Ask("GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.Header("connection"), "close");
  EXPECT_EQ(closing.ReadToEnd(), "");
  HttpExchange old(server.port());
  EXPECT_EQ(old.Ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").Header("connection"),
            "keep-alive");
  EXPECT_EQ(old.Ask("GET / HTTP/1.0\r\n\r\n").Header("connection"), "close");
  EXPECT_EQ(old.ReadToEnd(), "");
}

TEST(HttpServer, AnswersAPeerThatHasNoMoreToSay) {
  const RunningHttpServer server(Echo());
  HttpExchange peer(server.port());
  peer.Send(Post("last words"));
  peer.SendNoMore();
  EXPECT_EQ(peer.Read().body, "POST /x [last words] from 127.0.0.1");
  EXPECT_EQ(peer.ReadToEnd(), "");
}

TEST(HttpServer, AsksForABodyThatWaitsToBeAskedFor) {
  const RunningHttpServer server(Echo());
  HttpExchange peer(server.port());
  peer.Send("POST /x HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(peer.ReadHead().status, 100U);
  EXPECT_EQ(peer.Ask("body").body, "POST /x [body] from 127.0.0.1");
}

TEST(HttpServer, LetsNoHeaderValueBeginAnotherHeader) {
  const RunningHttpServer server(AlwaysSend({200, {{"Location", "/a\r\nSet-Cookie: b"}}, ""}));
  HttpExchange peer(server.port());
  const auto answer = peer.Get("/");
  EXPECT_EQ(answer.Header("location"), "/a  Set-Cookie: b");
  EXPECT_FALSE(answer.headers.contains("set-cookie"));
}

TEST(HttpServer, SaysSoWhenAHandlerDoesNotAnswer) {
  const RunningHttpServer server(
      [](const HttpServerRequest&, HttpReply&) -> Task<void> { co_return; });
  HttpExchange peer(server.port());
  EXPECT_EQ(peer.Get("/").status, 500U);
}

struct Malformed {
  const char* what;
  std::string bytes;
  unsigned status;
};

TEST(HttpServer, RefusesWhatIsMalformedAndServesOn) {
  const RunningHttpServer server(Echo());
  const std::string host = "Host: t\r\n";
  const std::vector<Malformed> cases{
      {"not HTTP", "hello\r\n\r\n", 400},
      {"TLS to a plain port", "\x16\x03\x01\x02\x01\r\n\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"a header without colon", "GET / HTTP/1.1\r\nHost: t\r\nnonsense\r\n\r\n", 400},
      {"a space before the colon", "GET / HTTP/1.1\r\nHost : t\r\n\r\n", 400},
      {"a length that is none", "POST / HTTP/1.1\r\n" + host + "Content-Length: x\r\n\r\n", 400},
      {"a negative length", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
      {"two lengths",
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
      {"a length and chunks",
       "POST / HTTP/1.1\r\n" + host +
           "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"a coding that we do not know",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"chunked below another coding",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, gzip\r\n\r\n", 501},
      {"a chunk without size",
       "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"a broken escape", "GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"a target that is none", "GET x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"another version", "GET / HTTP/3.0\r\n" + host + "\r\n", 505},
  };
  for (const auto& [what, bytes, status] : cases) {
    HttpExchange peer(server.port());
    const auto answer = peer.Ask(bytes);
    EXPECT_EQ(answer.status, status) << what;
    EXPECT_EQ(answer.Header("content-type"), "application/problem+json") << what;
    EXPECT_NE(answer.body.find("\"status\":" + std::to_string(status)), std::string::npos) << what;
  }
  HttpExchange good(server.port());
  EXPECT_EQ(good.Get("/").status, 200U);
}

TEST(HttpServer, ListensOnEveryAddressAndTellsWhatItCannotListenOn) {
  HttpServerOptions everywhere;
  everywhere.host = "";
  const RunningHttpServer server(Echo(), everywhere);
  HttpExchange peer(server.port());
  EXPECT_EQ(peer.Get("/").body, "GET / [] from 127.0.0.1");

  boost::asio::io_context loop;
  HttpServerOptions options;
  options.port = server.port();
  const auto taken = HttpServer::Listen(loop.get_executor(), options, Echo());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kConflict) << taken.error().message;
  options.host = "no.such.host";
  const auto unknown = HttpServer::Listen(loop.get_executor(), options, Echo());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kInvalidConfig) << unknown.error().message;
}

// Holds requests until it is told to answer them.
class Gate {
 public:
  HttpHandler Handler() {
    return [this](const HttpServerRequest& request, HttpReply& reply) {
      return Hold(*this, request, reply);
    };
  }
  void Open() { open_ = true; }
  [[nodiscard]] bool WaitForHeld(int count) {
    return rig::WaitFor([this, count] { return held_ == count; });
  }
  [[nodiscard]] int stopped() const { return stopped_; }

 private:
  static Task<void> Hold(Gate& gate, const HttpServerRequest& request, HttpReply& reply) {
    if (request.target.path == "/free") co_return co_await reply.Send({200, {}, "free"});
    ++gate.held_;
    while (!gate.open_) {
      if (!co_await SleepFor(1ms)) {
        ++gate.stopped_;
        co_return;
      }
    }
    co_await reply.Send({200, {}, "held"});
  }

  std::atomic<bool> open_ = false;
  std::atomic<int> held_ = 0;
  std::atomic<int> stopped_ = 0;
};

constexpr auto kHold = "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n";

TEST(HttpServerStop, AnswersWhatIsInHandAndClosesWhatIsIdle) {
  Gate gate;
  RunningHttpServer server(gate.Handler());
  HttpExchange busy(server.port());
  HttpExchange idle(server.port());
  EXPECT_EQ(idle.Get("/free").status, 200U);
  busy.Send(kHold);
  ASSERT_TRUE(gate.WaitForHeld(1));
  std::jthread stopping([&server] { server.Stop(10s); });
  EXPECT_EQ(idle.ReadToEnd(), "") << "while the other is still in hand";
  gate.Open();
  const auto answer = busy.Read();
  EXPECT_EQ(answer.body, "held");
  EXPECT_EQ(answer.Header("connection"), "close");
  EXPECT_EQ(busy.ReadToEnd(), "");
}

TEST(HttpServerStop, StopsHandlersAfterTheGrace) {
  Gate gate;
  RunningHttpServer server(gate.Handler());
  HttpExchange busy(server.port());
  busy.Send(kHold);
  ASSERT_TRUE(gate.WaitForHeld(1));
  server.Stop(1ms);
  EXPECT_EQ(gate.stopped(), 1);
  EXPECT_EQ(busy.ReadToEnd(), "");
}

TEST(HttpServerLimits, AnswersTooManyRequestsWith429AtOnce) {
  Gate gate;
  HttpServerOptions options;
  options.limits.requests = 2;
  options.urgent_paths = {"/free"};
  const RunningHttpServer server(gate.Handler(), options);
  HttpExchange first(server.port());
  HttpExchange second(server.port());
  first.Send(kHold);
  second.Send(kHold);
  ASSERT_TRUE(gate.WaitForHeld(2));
  HttpExchange third(server.port());
  for (int i = 0; i < 3; ++i) {
    const auto refused = third.Ask(Post("body"));
    EXPECT_EQ(refused.status, 429U) << "the connection is kept: a new one would cost more";
    EXPECT_EQ(refused.Header("retry-after"), "1");
  }
  EXPECT_EQ(third.Get("/free").body, "free") << "urgent pages are answered all the same";
  EXPECT_TRUE(rig::WaitFor([&server] { return server.counts().requests == 2; }));
  gate.Open();
  EXPECT_EQ(first.Read().body, "held");
  EXPECT_EQ(second.Read().body, "held");
  EXPECT_EQ(third.Ask(kHold).body, "held");
  EXPECT_EQ(server.counts().requests_refused, 3U);
}

TEST(HttpServerLimits, DoesNotListenAtOnceToWhoWasRefused) {
  Gate gate;
  HttpServerOptions options;
  options.limits.requests = 1;
  options.limits.rest = 1h;
  options.urgent_paths = {"/free"};
  const RunningHttpServer server(gate.Handler(), options);
  HttpExchange busy(server.port());
  busy.Send(kHold);
  ASSERT_TRUE(gate.WaitForHeld(1));
  HttpExchange impatient(server.port());
  EXPECT_EQ(impatient.Ask(kHold).status, 429U);
  impatient.Send(kHold);
  HttpExchange other(server.port());
  EXPECT_EQ(other.Ask(kHold).status, 429U);
  EXPECT_EQ(server.counts().requests_refused, 2U) << "the impatient one was heard";
}

TEST(HttpServerLimits, RefusesLongHeadsAndBodies) {
  HttpServerOptions options;
  options.limits.head_bytes = 8192;
  options.limits.body_bytes = 1000;
  const RunningHttpServer server(Echo(), options);
  const auto status_of = [&server](const std::string& request) {
    HttpExchange peer(server.port());
    return peer.Ask(request).status;
  };
  EXPECT_EQ(status_of("GET /" + std::string(10'000, 'x') + " HTTP/1.1\r\nHost: t\r\n\r\n"), 431U);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(10'000, 'x') + "\r\n\r\n"),
            431U);
  std::string many = "GET / HTTP/1.1\r\nHost: t\r\n";
  for (int i = 0; i < 2000; ++i) many += "x: y\r\n";
  EXPECT_EQ(status_of(many + "\r\n"), 431U);
  EXPECT_EQ(status_of(Post(std::string(1000, 'x'))), 200U);
  EXPECT_EQ(status_of(Post(std::string(1001, 'x'))), 413U);
  EXPECT_EQ(status_of(Post(std::string(1'000'000, 'x'))), 413U) << "although much was on its way";
  std::string chunks = "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 11; ++i) chunks += "64\r\n" + std::string(100, 'x') + "\r\n";
  EXPECT_EQ(status_of(chunks + "0\r\n\r\n"), 413U);
  EXPECT_EQ(status_of("POST /x HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
                      "Content-Length: 1001\r\n\r\n"),
            413U)
      << "without asking for the body";
}

TEST(HttpServerLimits, GivesSlowPeersUp) {
  HttpServerOptions options;
  options.limits.head = 50ms;
  options.limits.body = 50ms;
  options.limits.idle = 50ms;
  const RunningHttpServer server(Echo(), options);
  HttpExchange head(server.port());
  head.Send("GET / HTTP/1.1\r\nHost: t\r\n");
  EXPECT_EQ(head.ReadToEnd(), "");
  HttpExchange body(server.port());
  body.Send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf");
  EXPECT_EQ(body.ReadToEnd(), "");
  HttpExchange silent(server.port());
  EXPECT_EQ(silent.ReadToEnd(), "");
}

// A drop every now and then must not keep a connection for ever.
TEST(HttpServerLimits, CountsTheWholeHeadAgainstItsTime) {
  HttpServerOptions options;
  options.limits.head = 100ms;
  options.limits.head_bytes = 1U << 20;
  const RunningHttpServer server(Echo(), options);
  HttpExchange peer(server.port());
  peer.Send("GET / HTTP/1.1\r\nHost: t\r\n");
  std::jthread dripping([&peer](const std::stop_token& stop) {
    while (!stop.stop_requested() && peer.Send("x")) {
      std::this_thread::sleep_for(10ms);  // what is tested is a peer that is slow
    }
  });
  EXPECT_TRUE(peer.ReadToEnd()) << "it was not closed";
}

TEST(HttpServerLimits, TurnsAwayConnectionsBeyondOnePeersShare) {
  HttpServerOptions options;
  options.limits.connections_per_peer = 2;
  const RunningHttpServer server(Echo(), options);
  HttpExchange first(server.port());
  auto second = std::make_unique<HttpExchange>(server.port());
  EXPECT_EQ(first.Get("/").status, 200U);
  EXPECT_EQ(second->Get("/").status, 200U);
  HttpExchange third(server.port());
  EXPECT_EQ(third.Read().status, 429U);
  HttpExchange other_peer(server.port(), "127.0.0.2");
  EXPECT_EQ(other_peer.Get("/").body, "GET / [] from 127.0.0.2");
  second.reset();
  ASSERT_TRUE(rig::WaitFor([&server] { return server.counts().connections == 2; }));
  HttpExchange fourth(server.port());
  EXPECT_EQ(fourth.Get("/").status, 200U);
  EXPECT_EQ(server.counts().connections_refused, 1U);
}

TEST(HttpServerLimits, ClosesTheLongestIdleConnectionForANewOne) {
  Gate gate;
  HttpServerOptions options;
  options.limits.connections = 2;
  const RunningHttpServer server(gate.Handler(), options);
  HttpExchange idle(server.port());
  EXPECT_EQ(idle.Get("/free").status, 200U);
  HttpExchange busy(server.port());
  busy.Send(kHold);
  ASSERT_TRUE(gate.WaitForHeld(1));
  HttpExchange wanted(server.port());
  wanted.Send(kHold);
  ASSERT_TRUE(gate.WaitForHeld(2));
  EXPECT_EQ(idle.ReadToEnd(), "");
  ASSERT_TRUE(rig::WaitFor([&server] { return server.counts().connections == 2; }));
  HttpExchange unwanted(server.port());
  EXPECT_EQ(unwanted.Read().status, 429U) << "nobody is idle";
  gate.Open();
  EXPECT_EQ(busy.Read().body, "held");
  EXPECT_EQ(wanted.Read().body, "held");
}

}  // namespace
}  // namespace prewarm::net
