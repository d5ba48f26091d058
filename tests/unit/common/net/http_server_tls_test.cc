// The server's TLS, spoken to by our own client and by the openssl program.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <filesystem>
#include <string>

#include "common/async/guarded.h"
#include "common/net/stream.h"
#include "tests/rig/certificates.h"
#include "tests/rig/child_process.h"
#include "tests/rig/http_exchange.h"
#include "tests/rig/run_task.h"
#include "tests/rig/running_http_server.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::net {
namespace {

using rig::RunTask;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

Task<void> SendHello(HttpReply& reply) { co_await reply.Send({200, {}, "hello"}); }

class HttpServerTls : public testing::Test {
 protected:
  HttpServerTls() : authority_(folder_.path()), pair_(authority_.Issue("server", "IP:127.0.0.1")) {}

  HttpServerOptions Options() {
    HttpServerOptions options;
    options.tls = ServerTlsFiles{pair_.certificate_file, pair_.key_file, ""};
    options.pool = &pool_;
    options.look_at_files = 5ms;
    options.limits.head = 2s;
    options.on_tls_reload = [this](const Status& status) {
      reloads_.With([&status](std::vector<Status>& all) { all.push_back(status); });
    };
    return options;
  }
  static HttpHandler Hello() {
    return [](const HttpServerRequest&, HttpReply& reply) { return SendHello(reply); };
  }
  TlsOptions Trusting() {
    TlsOptions options;
    options.ca_file = authority_.ca_file();
    return options;
  }

  // The answer as it came, or why there is none.
  Result<std::string> Ask(std::uint16_t port, const TlsOptions& options) {
    TRY(auto context, MakeTlsContext(options));
    TRY(auto stream,
        RunTask(loop_, Connect({"127.0.0.1", port, std::move(context), ""}, Duration(5s))));
    const std::string request = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    TRY_STATUS(RunTask(loop_, stream->Write(std::as_bytes(std::span(request)), 5s)));
    std::string answer;
    while (!answer.ends_with("hello")) {
      std::array<char, 500> bytes{};
      TRY(const auto size,
          RunTask(loop_, stream->ReadSome(std::as_writable_bytes(std::span(bytes)), 5s)));
      answer.append(bytes.data(), size);
    }
    return answer;
  }
  void ExpectHello(std::uint16_t port, const TlsOptions& options) {
    const auto answer = Ask(port, options);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(answer->starts_with("HTTP/1.1 200")) << *answer;
  }

  std::vector<Status> Reloads() {
    return reloads_.With([](std::vector<Status>& all) { return all; });
  }
  // Puts other files in the place of the server's, as a rotation does.
  void Replace(const rig::KeyPair& by) {
    std::filesystem::rename(by.certificate_file, pair_.certificate_file);
    std::filesystem::rename(by.key_file, pair_.key_file);
  }

  const rig::TempDir folder_;
  rig::CertificateAuthority authority_;
  rig::KeyPair pair_;
  boost::asio::thread_pool pool_{1};
  boost::asio::io_context loop_;
  Guarded<std::vector<Status>> reloads_;
};

TEST_F(HttpServerTls, AnswersUnderItsCertificate) {
  const rig::RunningHttpServer server(Hello(), Options());
  ExpectHello(server.port(), Trusting());
  EXPECT_FALSE(Ask(server.port(), TlsOptions())) << "who does not know the authority";
}

TEST_F(HttpServerTls, RefusesOldVersions) {
  const rig::RunningHttpServer server(Hello(), Options());
  const auto connect = [&](const std::string& version) {
    rig::ChildProcess client(
        {"openssl", "s_client", "-connect", "127.0.0.1:" + std::to_string(server.port()), version,
         "-brief", "-cipher", "DEFAULT:@SECLEVEL=0"},
        folder_ / "client.log");
    return client.Wait();
  };
  EXPECT_NE(connect("-tls1_1"), 0);
  EXPECT_TRUE(rig::WaitFor([&server] { return server.counts().handshakes_failed == 1; }));
  EXPECT_EQ(connect("-tls1_2"), 0);
}

TEST_F(HttpServerTls, DemandsAClientCertificateOfItsAuthority) {
  auto options = Options();
  options.tls->client_ca_file = authority_.ca_file();
  const rig::RunningHttpServer server(Hello(), options);
  auto client = Trusting();
  EXPECT_FALSE(Ask(server.port(), client)) << "without a certificate";
  const auto pair = authority_.Issue("client", "DNS:client");
  client.certificate_file = pair.certificate_file;
  client.key_file = pair.key_file;
  ExpectHello(server.port(), client);

  const rig::TempDir other_folder;
  rig::CertificateAuthority other(other_folder.path());
  const auto foreign = other.Issue("client", "DNS:client");
  client.certificate_file = foreign.certificate_file;
  client.key_file = foreign.key_file;
  EXPECT_FALSE(Ask(server.port(), client)) << "of another authority";
}

TEST_F(HttpServerTls, TakesNewFilesForNewConnectionsAndKeepsTheOldOnesWhereTheNewAreBroken) {
  const rig::RunningHttpServer server(Hello(), Options());
  const rig::TempDir other_folder;
  rig::CertificateAuthority other(other_folder.path());
  TlsOptions trusting_other;
  trusting_other.ca_file = other.ca_file();
  EXPECT_FALSE(Ask(server.port(), trusting_other));

  Replace(other.Issue("server", "IP:127.0.0.1"));
  ASSERT_TRUE(rig::WaitFor([this] { return !Reloads().empty() && Reloads().back().has_value(); }));
  ExpectHello(server.port(), trusting_other);
  EXPECT_FALSE(Ask(server.port(), Trusting())) << "the old certificate is gone";

  const auto before = Reloads().size();
  std::filesystem::remove(pair_.key_file);
  ASSERT_TRUE(rig::WaitFor([&] { return Reloads().size() > before; }));
  ASSERT_FALSE(Reloads().back());
  EXPECT_NE(Reloads().back().error().message.find(pair_.key_file), std::string::npos);
  ExpectHello(server.port(), trusting_other);
}

TEST_F(HttpServerTls, TellsWhichFileCannotBeUsed) {
  boost::asio::io_context loop;
  auto options = Options();
  options.tls->key_file = folder_ / "absent.pem";
  const auto server = HttpServer::Listen(loop.get_executor(), options, Hello());
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidConfig);
  EXPECT_NE(server.error().message.find("absent.pem"), std::string::npos) << server.error().message;
}

TEST_F(HttpServerTls, GivesUpWhoDoesNotShakeHands) {
  auto options = Options();
  options.limits.head = 50ms;
  const rig::RunningHttpServer server(Hello(), options);
  rig::HttpExchange silent(server.port());
  EXPECT_EQ(silent.ReadToEnd(), "");
  rig::HttpExchange plain(server.port());
  plain.Send("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_TRUE(plain.ReadToEnd());
  EXPECT_TRUE(rig::WaitFor([&server] { return server.counts().handshakes_failed == 2; }));
}

}  // namespace
}  // namespace prewarm::net
