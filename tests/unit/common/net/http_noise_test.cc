// Whatever peers send, the server goes on serving, and nothing of them stays behind.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "tests/rig/child_process.h"
#include "tests/rig/http_exchange.h"
#include "tests/rig/running_http_server.h"

namespace prewarm::net {
namespace {

using rig::HttpExchange;
using rig::RunningHttpServer;

// A request with a few bytes changed, left out, doubled or cut off.
std::string Mangled(std::mt19937& random) {
  std::string bytes = random() % 2 == 0
                          ? "POST /a?b=c HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello"
                          : "PUT /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: "
                            "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  for (auto changes = random() % 4; changes > 0 && !bytes.empty(); --changes) {
    const auto at = random() % bytes.size();
    switch (random() % 4) {
      case 0: bytes[at] = static_cast<char>(random()); break;
      case 1: bytes.erase(at, random() % 8); break;
      case 2: bytes.insert(at, bytes.substr(at, random() % 20)); break;
      default: bytes.resize(at); break;
    }
  }
  return bytes;
}

std::string Noise(std::mt19937& random) {
  std::string bytes(random() % 300, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

Task<void> SendOk(HttpReply& reply) { co_await reply.Send({200, {}, "ok"}); }

TEST(HttpNoise, NeverKillsTheServerNorStaysInIt) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const RunningHttpServer server(
      [](const HttpServerRequest&, HttpReply& reply) { return SendOk(reply); });
  unsigned served = 0;
  unsigned refused = 0;
  for (int round = 0; round < 1500; ++round) {
    HttpExchange peer(server.port());
    peer.Send(random() % 5 == 0 ? Noise(random) : Mangled(random));
    peer.SendNoMore();
    const auto all = peer.ReadToEnd();
    ASSERT_TRUE(all) << "left hanging in round " << round;
    served += all->starts_with("HTTP/1.1 200") ? 1 : 0;
    refused += all->starts_with("HTTP/1.1 4") ? 1 : 0;
  }
  EXPECT_GT(served, 100U) << "the test would prove little";
  EXPECT_GT(refused, 100U) << "the test would prove little";
  HttpExchange good(server.port());
  EXPECT_EQ(good.Get("/").body, "ok");
  EXPECT_TRUE(rig::WaitFor([&server] { return server.counts().connections == 1; }));
  EXPECT_TRUE(rig::WaitFor([&server] { return server.counts().requests == 0; }));
}

}  // namespace
}  // namespace prewarm::net
