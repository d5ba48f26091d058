// Redis over TLS, with certificates made by the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/metadata/followed_volume.h"
#include "tests/integration/metadata/redis_rig.h"
#include "tests/rig/certificates.h"

namespace prewarm::metadata {
namespace {

using testing::HasSubstr;

class Tls : public testing::Test {
 protected:
  Tls() : authority(folder.path()) {}

  // Plain connections are refused; clients show a certificate if `clients` is "yes".
  RedisServer Start(const std::string& clients = "no") {
    const auto pair = authority.Issue("server", "DNS:redis.example,IP:127.0.0.1");
    return {folder,
            "redis",
            {"--port", "0", "--tls-port", "PORT", "--tls-cert-file", pair.certificate_file,
             "--tls-key-file", pair.key_file, "--tls-ca-cert-file", authority.ca_file(),
             "--tls-auth-clients", clients}};
  }

  [[nodiscard]] std::string Trusting(const RedisServer& server) const {
    return "rediss://" + server.address() + "/1?tls-ca-cert-file=" + authority.ca_file();
  }

  const rig::TempDir folder;
  rig::CertificateAuthority authority;
};

TEST_F(Tls, VerifiesTheServer) {
  auto server = Start();
  VolumeBuilder(server, 1).Setting();
  server.Flush();
  const std::string url = "rediss://" + server.address() + "/1";
  const std::string trusting = Trusting(server);
  EXPECT_TRUE(Engine(trusting).Settings());
  EXPECT_TRUE(Engine(url + "?insecure-skip-verify=true").Settings());
  EXPECT_TRUE(
      Engine(url + "?tls_ca_cert_file=" + authority.ca_file() + "&tls-server-name=redis.example")
          .Settings());

  const rig::TempDir other_folder;
  const rig::CertificateAuthority other(other_folder.path());
  for (const auto& distrusting : {url, url + "?tls-ca-cert-file=" + other.ca_file(),
                                  trusting + "&tls-server-name=other.example"}) {
    const auto refused = Engine(distrusting).Connect(1h);
    ASSERT_FALSE(refused) << distrusting;
    EXPECT_EQ(refused.error().code, ErrorCode::kPermission) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr(server.address()));
    EXPECT_THAT(refused.error().message, HasSubstr("check tls-ca-cert-file"));
  }
}

TEST_F(Tls, ShowsAClientCertificate) {
  auto server = Start("yes");
  VolumeBuilder(server, 1).Setting();
  server.Flush();
  const std::string url = Trusting(server);
  const auto client = authority.Issue("client", "DNS:client");
  const auto settings =
      Engine(url + "&tls-cert-file=" + client.certificate_file + "&tls-key-file=" + client.key_file)
          .Settings();
  EXPECT_TRUE(settings) << settings.error().message;
  EXPECT_FALSE(Engine(url).Connect(500ms));
  const auto no_file =
      Engine(url + "&tls-cert-file=/nowhere.pem&tls-key-file=/nowhere.key").Connect(1h);
  ASSERT_FALSE(no_file);
  EXPECT_EQ(no_file.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(no_file.error().message, HasSubstr("/nowhere.pem"));
}

TEST_F(Tls, SaysThatAPlainUrlMeetsATlsServer) {
  auto server = Start();
  const auto failed = Engine("redis://" + server.address() + "/1").Connect(300ms);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("write rediss://"));
}

TEST_F(Tls, CarriesManyReplies) {
  auto server = Start();
  VolumeBuilder volume(server, 1);
  for (int i = 0; i < 12'000; ++i) volume.Written(1, "file " + std::to_string(i), 1000);
  server.Flush();
  const auto resolved = Engine(Trusting(server)).Resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->files.size(), 12'000U);
}

TEST_F(Tls, TellsOfChanges) {
  auto server = Start();
  VolumeBuilder volume(server, 1);
  volume.Written(1, "file", 10);
  server.Flush();
  FollowedVolume followed(Trusting(server));
  ASSERT_TRUE(followed.Read());
  ASSERT_TRUE(followed.redis().tracking()) << followed.redis().refusal();
  const auto invalidations = followed.redis().invalidations();
  volume.Written(1, "another", 10);
  server.Flush();
  EXPECT_TRUE(followed.Within(1s, [&] { return followed.Heard("d1"); }));
  EXPECT_GT(followed.redis().invalidations(), invalidations);
}

}  // namespace
}  // namespace prewarm::metadata
