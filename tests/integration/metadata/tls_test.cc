// Redis over TLS, with certificates made by the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/metadata/redis_rig.h"

namespace prewarm {
namespace {

using rig::Engine;
using testing::HasSubstr;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;

class Tls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new rig::TempDir;
    const std::string script = "cd " + folder_->path().string() + R"(
for ca in ca other; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj "/CN=$ca" -keyout $ca.key -out $ca.pem || exit 1
done
sign() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout $1.key -out $1.csr || exit 1
  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -days 2 -out $1.pem -extfile - <<EOF
$2
EOF
}
sign server "subjectAltName=DNS:redis.example,IP:127.0.0.1" || exit 1
sign client "extendedKeyUsage=clientAuth" || exit 1
)";
    rig::ChildProcess openssl({"sh", "-c", script}, *folder_ / "openssl.log");
    ASSERT_EQ(openssl.Wait(), 0) << openssl.Log();
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::string In(const std::string& file) { return *folder_ / file; }

  // Plain connections are refused; clients show a certificate if `clients` is "yes".
  static rig::RedisServer Start(const std::string& name, const std::string& clients) {
    return {
        folder_->path().string(),
        name,
        {"--port", "0", "--tls-port", "PORT", "--tls-cert-file", In("server.pem"), "--tls-key-file",
         In("server.key"), "--tls-ca-cert-file", In("ca.pem"), "--tls-auth-clients", clients}};
  }

  static rig::TempDir* folder_;
};

rig::TempDir* Tls::folder_ = nullptr;

TEST_F(Tls, VerifiesTheServer) {
  auto server = Start("verify", "no");
  rig::VolumeBuilder(server, 1).Setting();
  ASSERT_EQ(server.admin().Flush(), "");
  const std::string url = "rediss://" + server.address() + "/1";
  EXPECT_TRUE(Engine(url + "?tls-ca-cert-file=" + In("ca.pem")).Settings());
  EXPECT_TRUE(Engine(url + "?insecure-skip-verify=true").Settings());
  EXPECT_TRUE(Engine(url + "?tls_ca_cert_file=" + In("ca.pem") + "&tls-server-name=redis.example")
                  .Settings());

  for (const auto& query :
       {std::string(), "?tls-ca-cert-file=" + In("other.pem"),
        "?tls-ca-cert-file=" + In("ca.pem") + "&tls-server-name=other.example"}) {
    const auto refused = Engine(url + query).Connect(1h);
    ASSERT_FALSE(refused) << query;
    EXPECT_EQ(refused.error().code, ErrorCode::kPermission) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr(server.address()));
    EXPECT_THAT(refused.error().message, HasSubstr("check tls-ca-cert-file"));
  }
}

TEST_F(Tls, ShowsAClientCertificate) {
  auto server = Start("mutual", "yes");
  rig::VolumeBuilder(server, 1).Setting();
  ASSERT_EQ(server.admin().Flush(), "");
  const std::string url = "rediss://" + server.address() + "/1?tls-ca-cert-file=" + In("ca.pem");
  const auto settings =
      Engine(url + "&tls-cert-file=" + In("client.pem") + "&tls-key-file=" + In("client.key"))
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
  auto server = Start("plain", "no");
  const auto failed = Engine("redis://" + server.address() + "/1").Connect(300ms);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("write rediss://"));
}

TEST_F(Tls, CarriesManyReplies) {
  auto server = Start("many", "no");
  rig::VolumeBuilder volume(server, 1);
  for (int i = 0; i < 12'000; ++i) volume.Written(1, "file " + std::to_string(i), 1000);
  ASSERT_EQ(server.admin().Flush(), "");
  const auto resolved =
      Engine("rediss://" + server.address() + "/1?tls-ca-cert-file=" + In("ca.pem")).Resolve();
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->files.size(), 12'000U);
}

}  // namespace
}  // namespace prewarm
