// Credentials that are replaced while they are in use, against a server that demands the new ones.
#include "controller/kube/kube_identity.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "controller/kube/kube_client.h"
#include "tests/rig/certificates.h"
#include "tests/rig/run_task.h"
#include "tests/rig/running_http_server.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::controller::kube {
namespace {

constexpr std::size_t kOld = 0;
constexpr std::size_t kNew = 1;

// Two authorities; servers show and demand certificates of one of them.
class IdentityTest : public testing::Test {
 protected:
  IdentityTest() {
    for (const auto* name : {"old", "new"}) {
      std::filesystem::create_directory(folder_ / name);
      rig::CertificateAuthority authority(folder_ / name);
      servers_.push_back(authority.Issue("server", "IP:127.0.0.1"));
      clients_.push_back(authority.Issue("client", "DNS:client"));
      authorities_.push_back(authority.ca_file());
    }
  }
  ~IdentityTest() override { pool_.join(); }

  std::unique_ptr<rig::RunningHttpServer> Serve(std::size_t authority, std::uint16_t port = 0) {
    net::HttpServerOptions options;
    options.port = port;
    options.tls = {servers_[authority].certificate_file, servers_[authority].key_file,
                   authorities_[authority]};
    options.pool = &pool_;
    return std::make_unique<rig::RunningHttpServer>(AnswerNothing, std::move(options));
  }
  static Task<void> AnswerNothing(const net::HttpServerRequest&, net::HttpReply& reply) {
    co_await reply.Send({.status = 200, .headers = {}, .body = {}});
  }
  // As an operator's tool does it: a file is replaced, never half written.
  void Install(std::size_t authority) {
    const auto replace = [this](const std::string& from, const std::string& to) {
      std::filesystem::copy_file(from, folder_ / (to + ".tmp"));
      std::filesystem::rename(folder_ / (to + ".tmp"), folder_ / to);
    };
    replace(authorities_[authority], "ca.crt");
    replace(clients_[authority].certificate_file, "client.crt");
    replace(clients_[authority].key_file, "client.key");
  }

  rig::TempDir folder_;
  std::vector<rig::KeyPair> servers_;
  std::vector<rig::KeyPair> clients_;
  std::vector<std::string> authorities_;
  boost::asio::io_context loop_;
  boost::asio::thread_pool pool_{1};
  SystemClock clock_;
};

TEST_F(IdentityTest, FollowsAnAuthorityAndACertificateThatAreReplaced) {
  Install(kOld);
  auto server = Serve(kOld);
  KubeConfig config;
  config.host = "127.0.0.1";
  config.port = server->port();
  config.ca_file = folder_ / "ca.crt";
  config.certificate_file = folder_ / "client.crt";
  config.key_file = folder_ / "client.key";
  KubeClientOptions options;
  options.credentials_age = Duration::zero();
  const auto client = KubeClient::Make(loop_.get_executor(), pool_, clock_, config, options);
  ASSERT_TRUE(client) << client.error().message;
  const auto status = [&]() -> std::string {
    const auto answer = rig::RunTask(loop_, (*client)->Send({.path = "/version"}));
    return answer ? std::to_string(answer->status) : std::string(CodeName(answer.error().code));
  };
  EXPECT_EQ(status(), "200");
  EXPECT_EQ(status(), "200");

  server.reset();
  server = Serve(kNew, config.port);
  EXPECT_EQ(status(), CodeName(ErrorCode::kPermission)) << "an authority that it does not know";
  Install(kNew);
  EXPECT_EQ(status(), "200");
}

TEST_F(IdentityTest, NamesTheFileThatCannotBeUsedAndWhereItIsConfigured) {
  KubeConfig config;
  config.host = "127.0.0.1";
  config.ca_file = "/nowhere/ca.crt";
  config.origin = "/etc/me/.kube/config, context dev";
  const auto client = KubeClient::Make(loop_.get_executor(), pool_, clock_, config);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::kInvalidConfig);
  EXPECT_NE(client.error().message.find("/nowhere/ca.crt"), std::string::npos);
  EXPECT_NE(client.error().message.find(config.origin), std::string::npos);
}

}  // namespace
}  // namespace prewarm::controller::kube
