#include "common/process/admin_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <string>

#include "common/async/io_thread.h"
#include "tests/rig/http_exchange.h"

namespace prewarm {
namespace {

using rig::HttpExchange;
using testing::HasSubstr;

class AdminPortTest : public testing::Test {
 protected:
  AdminPortTest() {
    metrics_.AddBuildInfo("prewarm_agent", "1.2.3");
    port_ = boost::asio::co_spawn(thread_.executor(), Open(*this), boost::asio::use_future).get();
  }
  ~AdminPortTest() override {
    boost::asio::co_spawn(thread_.executor(), Close(std::move(port_)), boost::asio::use_future)
        .get();
  }
  rig::HttpAnswer Get(const std::string& path) { return HttpExchange(port_->port()).Get(path); }

  Metrics metrics_;
  std::atomic<bool> ready_ = true;

 private:
  static Task<std::unique_ptr<AdminPort>> Open(AdminPortTest& test) {
    auto port = AdminPort::Listen(
        test.thread_.executor(), {},
        {test.metrics_, [&test] { return Readiness{test.ready_, "no cache directory"}; },
         [] { return std::string("cache:\n  dirs: /x\n"); }});
    co_return *std::move(port);
  }
  static Task<void> Close(std::unique_ptr<AdminPort> port) { co_await port->Stop(); }

  IoThread thread_;

 protected:
  std::unique_ptr<AdminPort> port_;
};

TEST_F(AdminPortTest, TellsMetricsInPrometheusFormat) {
  const auto answer = Get("/metrics");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.Header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("prewarm_agent_build_info{version=\"1.2.3\"} 1\n"));
}

TEST_F(AdminPortTest, TellsWhetherItLivesAndWhetherItCanWork) {
  EXPECT_EQ(Get("/healthz").body, "ok\n");
  EXPECT_EQ(Get("/readyz").status, 200U);
  ready_ = false;
  const auto answer = Get("/readyz");
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(answer.body, "not ready: no cache directory\n");
  EXPECT_EQ(Get("/healthz").status, 200U) << "a reason to wait, not to restart";
}

TEST_F(AdminPortTest, TellsTheConfigurationInForce) {
  EXPECT_EQ(Get("/config").body, "cache:\n  dirs: /x\n");
}

TEST_F(AdminPortTest, HasNothingElse) {
  EXPECT_EQ(Get("/").status, 404U);
  EXPECT_EQ(Get("/debug/pprof/").status, 404U);
  const auto answer = HttpExchange(port_->port()).Ask("POST /config HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(answer.status, 405U);
  EXPECT_EQ(answer.Header("allow"), "GET, HEAD");
  EXPECT_EQ(HttpExchange(port_->port()).Ask("HEAD /metrics HTTP/1.1\r\nHost: t\r\n\r\n").status,
            200U);
}

}  // namespace
}  // namespace prewarm
