// Answers that go on: what server-sent events need of the server.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>

#include "common/async/deadline.h"
#include "tests/rig/child_process.h"
#include "tests/rig/http_exchange.h"
#include "tests/rig/running_http_server.h"

namespace prewarm::net {
namespace {

using rig::HttpExchange;
using rig::RunningHttpServer;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr auto kGet = "GET /events HTTP/1.1\r\nHost: t\r\n\r\n";

// Streams "piece 0", "piece 1", … as it is told to, and keeps account of how streams end.
class Teller {
 public:
  HttpHandler Handler() {
    return [this](const HttpServerRequest&, HttpReply& reply) {
      return reply.SendStream({200, {{"Content-Type", "text/event-stream"}}, ""},
                              Tell(*this, reply));
    };
  }
  void Tell(int pieces) { allowed_ = pieces; }
  void End() { ending_ = true; }
  [[nodiscard]] int ended() const { return ended_; }
  [[nodiscard]] int stopped() const { return stopped_; }

 private:
  static Task<void> Tell(Teller& teller, HttpReply& reply) {
    for (int next = 0;;) {
      if (next < teller.allowed_) {
        if (!co_await reply.Write("piece " + std::to_string(next++))) break;
      } else if (teller.ending_) {
        break;
      } else if (!co_await SleepFor(1ms)) {
        ++teller.stopped_;
        break;
      }
    }
    ++teller.ended_;
  }

  std::atomic<int> allowed_ = 0;
  std::atomic<bool> ending_ = false;
  std::atomic<int> ended_ = 0;
  std::atomic<int> stopped_ = 0;
};

TEST(HttpStream, SendsEachPieceWhenItIsWritten) {
  Teller teller;
  const RunningHttpServer server(teller.Handler());
  HttpExchange peer(server.port());
  peer.Send(kGet);
  const auto head = peer.ReadHead();
  EXPECT_EQ(head.status, 200U);
  EXPECT_EQ(head.Header("content-type"), "text/event-stream");
  EXPECT_EQ(head.Header("transfer-encoding"), "chunked");
  for (int i = 0; i < 3; ++i) {
    teller.Tell(i + 1);
    EXPECT_EQ(peer.ReadChunk(), "piece " + std::to_string(i));
  }
  teller.End();
  EXPECT_EQ(peer.ReadChunk(), "");
  EXPECT_EQ(peer.ReadToEnd(), "");
}

TEST(HttpStream, EndsWithTheConnectionForHttp10) {
  Teller teller;
  const RunningHttpServer server(teller.Handler());
  HttpExchange peer(server.port());
  teller.Tell(2);
  teller.End();
  peer.Send("GET /events HTTP/1.0\r\n\r\n");
  EXPECT_EQ(peer.ReadHead().Header("transfer-encoding"), "");
  EXPECT_EQ(peer.ReadToEnd(), "piece 0piece 1");
}

TEST(HttpStream, DoesNotRunForHead) {
  Teller teller;
  const RunningHttpServer server(teller.Handler());
  HttpExchange peer(server.port());
  peer.Send("HEAD /events HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(peer.ReadHead().status, 200U);
  EXPECT_EQ(peer.ReadToEnd(), "");
  EXPECT_EQ(teller.ended(), 0);
}

TEST(HttpStream, StopsItsProducerWhenThePeerLeaves) {
  Teller teller;
  const RunningHttpServer server(teller.Handler());
  {
    HttpExchange peer(server.port());
    peer.Send(kGet);
    EXPECT_EQ(peer.ReadHead().status, 200U);
    EXPECT_EQ(server.counts().streams, 1U);
  }
  EXPECT_TRUE(rig::WaitFor([&teller] { return teller.stopped() == 1; }));
  EXPECT_TRUE(rig::WaitFor([&server] { return server.counts().connections == 0; }));
  EXPECT_EQ(server.counts().streams, 0U);
  EXPECT_EQ(server.counts().requests, 0U);
}

TEST(HttpStream, GivesUpAPeerThatTakesNothing) {
  HttpServerOptions options;
  options.limits.write = 50ms;
  Teller teller;
  const RunningHttpServer server(teller.Handler(), options);
  HttpExchange peer(server.port());
  peer.Send(kGet);
  EXPECT_EQ(peer.ReadHead().status, 200U);
  teller.Tell(100'000'000);
  EXPECT_TRUE(rig::WaitFor([&teller] { return teller.ended() == 1; }));
}

TEST(HttpStream, EndsInOrderWhenTheServerStops) {
  Teller teller;
  RunningHttpServer server(teller.Handler());
  HttpExchange peer(server.port());
  peer.Send(kGet);
  EXPECT_EQ(peer.ReadHead().status, 200U);
  teller.Tell(1);
  EXPECT_EQ(peer.ReadChunk(), "piece 0");
  server.Stop(10s);
  EXPECT_EQ(teller.stopped(), 1);
  EXPECT_EQ(peer.ReadChunk(), "") << "the last chunk, not a cut";
  EXPECT_EQ(peer.ReadToEnd(), "");
}

TEST(HttpStream, DoesNotCountAsARequestInHand) {
  HttpServerOptions options;
  options.limits.requests = 1;
  options.limits.streams = 2;
  Teller teller;
  const RunningHttpServer server(teller.Handler(), options);
  HttpExchange first(server.port());
  HttpExchange second(server.port());
  first.Send(kGet);
  EXPECT_EQ(first.ReadHead().status, 200U);
  second.Send(kGet);
  EXPECT_EQ(second.ReadHead().status, 200U);
  EXPECT_EQ(server.counts().requests, 0U);
  HttpExchange third(server.port());
  const auto refused = third.Ask(kGet);
  EXPECT_EQ(refused.status, 429U);
  EXPECT_EQ(refused.Header("retry-after"), "5");
}

}  // namespace
}  // namespace prewarm::net
