#include "agent/store/s3_location.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/store/credentials.h"
#include "tests/rig/environment.h"

namespace prewarm::agent {
namespace {

using rig::Variables;
using rig::With;
using testing::HasSubstr;

struct Case {
  std::string text;
  bool tls;
  std::string host;
  int port;
  std::string bucket;
  std::string region;
  std::string host_header;
  std::string path_prefix;
  Variables environment = {};
};

void Expect(const Case& c, const Result<S3Location>& location) {
  SCOPED_TRACE(c.text);
  ASSERT_TRUE(location) << location.error().message;
  EXPECT_EQ(location->tls, c.tls);
  EXPECT_EQ(location->host, c.host);
  EXPECT_EQ(location->port, c.port);
  EXPECT_EQ(location->bucket, c.bucket);
  EXPECT_EQ(location->region, c.region);
  EXPECT_EQ(location->HostHeader(), c.host_header);
  EXPECT_EQ(location->PathPrefix(), c.path_prefix);
}

TEST(S3Location, UnderstandsTheFormsThatTheClientTakes) {
  const std::vector<Case> cases{
      // Endpoints of one's own: path style.
      {"http://127.0.0.1:9000/models", false, "127.0.0.1", 9000, "models", "us-east-1",
       "127.0.0.1:9000", "/models"},
      {"https://storage.googleapis.com/models/", true, "storage.googleapis.com", 443, "models",
       "us-east-1", "storage.googleapis.com", "/models"},
      {"10.0.0.5:9000/models", false, "10.0.0.5", 9000, "models", "us-east-1", "10.0.0.5:9000",
       "/models"},
      {"http://models.store.example:8080", false, "store.example", 8080, "models", "us-east-1",
       "store.example:8080", "/models"},
      {"http://[::1]:9000/models", false, "[::1]", 9000, "models", "us-east-1", "[::1]:9000",
       "/models"},
      {"https://store.example/models/deeper", true, "store.example", 443, "models", "us-east-1",
       "store.example", "/models"},
      // … unless the environment asks for virtual hosts.
      {"https://store.example/models",
       true,
       "store.example",
       443,
       "models",
       "us-east-1",
       "models.store.example",
       "",
       {{"JFS_S3_VHOST_STYLE", "1"}}},
      {"https://store.example/models",
       true,
       "store.example",
       443,
       "models",
       "us-east-1",
       "store.example",
       "/models",
       {{"JFS_S3_VHOST_STYLE", "false"}}},
      // Amazon: virtual hosts.
      {"https://models.s3.eu-west-1.amazonaws.com", true, "s3.eu-west-1.amazonaws.com", 443,
       "models", "eu-west-1", "models.s3.eu-west-1.amazonaws.com", ""},
      {"models.s3.eu-west-1.amazonaws.com", true, "s3.eu-west-1.amazonaws.com", 443, "models",
       "eu-west-1", "models.s3.eu-west-1.amazonaws.com", ""},
      {"https://models.s3-ap-south-1.amazonaws.com", true, "s3-ap-south-1.amazonaws.com", 443,
       "models", "ap-south-1", "models.s3-ap-south-1.amazonaws.com", ""},
      {"https://models.s3.amazonaws.com", true, "s3.amazonaws.com", 443, "models", "us-east-1",
       "models.s3.amazonaws.com", ""},
      {"https://s3.us-west-2.amazonaws.com/models", true, "s3.us-west-2.amazonaws.com", 443,
       "models", "us-west-2", "models.s3.us-west-2.amazonaws.com", ""},
      {"https://s3.dualstack.us-west-2.amazonaws.com/models", true,
       "s3.dualstack.us-west-2.amazonaws.com", 443, "models", "us-west-2",
       "models.s3.dualstack.us-west-2.amazonaws.com", ""},
      {"https://models.s3.cn-north-1.amazonaws.com.cn", true, "s3.cn-north-1.amazonaws.com.cn", 443,
       "models", "cn-north-1", "models.s3.cn-north-1.amazonaws.com.cn", ""},
      {"https://my.models.s3.eu-west-1.amazonaws.com", true, "s3.eu-west-1.amazonaws.com", 443,
       "my.models", "eu-west-1", "s3.eu-west-1.amazonaws.com", "/my.models"},
      // A bare name is a bucket of Amazon's; its region is a guess.
      {"models", true, "s3.us-east-1.amazonaws.com", 443, "models", "us-east-1",
       "models.s3.us-east-1.amazonaws.com", ""},
      {"models",
       true,
       "s3.eu-north-1.amazonaws.com",
       443,
       "models",
       "eu-north-1",
       "models.s3.eu-north-1.amazonaws.com",
       "",
       {{"AWS_DEFAULT_REGION", "eu-north-1"}}},
      {"https://models.bucket.vpce-1a2b.s3.us-east-2.vpce.amazonaws.com", true,
       "bucket.vpce-1a2b.s3.us-east-2.vpce.amazonaws.com", 443, "models", "us-east-2",
       "bucket.vpce-1a2b.s3.us-east-2.vpce.amazonaws.com", "/models"},
      {"https://bucket.vpce-1a2b.s3.us-east-2.vpce.amazonaws.com/models", true,
       "bucket.vpce-1a2b.s3.us-east-2.vpce.amazonaws.com", 443, "models", "us-east-2",
       "bucket.vpce-1a2b.s3.us-east-2.vpce.amazonaws.com", "/models"},
      {"https://s3-external-1.amazonaws.com/models", true, "s3-external-1.amazonaws.com", 443,
       "models", "us-east-1", "models.s3-external-1.amazonaws.com", ""},
      {"https://models.s3-fips.us-gov-west-1.amazonaws.com", true,
       "s3-fips.us-gov-west-1.amazonaws.com", 443, "models", "us-gov-west-1",
       "models.s3-fips.us-gov-west-1.amazonaws.com", ""},
      {"https://s3.cn-northwest-1.amazonaws.com.cn/models", true,
       "s3.cn-northwest-1.amazonaws.com.cn", 443, "models", "cn-northwest-1",
       "models.s3.cn-northwest-1.amazonaws.com.cn", ""},
      {"https://models.s3.dualstack.eu-west-1.amazonaws.com/", true,
       "s3.dualstack.eu-west-1.amazonaws.com", 443, "models", "eu-west-1",
       "models.s3.dualstack.eu-west-1.amazonaws.com", ""},
      // AWS_REGION comes before AWS_DEFAULT_REGION, and neither before what the host says.
      {"models",
       true,
       "s3.a-1.amazonaws.com",
       443,
       "models",
       "a-1",
       "models.s3.a-1.amazonaws.com",
       "",
       {{"AWS_REGION", "a-1"}, {"AWS_DEFAULT_REGION", "b-1"}}},
      {"https://models.s3.eu-west-1.amazonaws.com",
       true,
       "s3.eu-west-1.amazonaws.com",
       443,
       "models",
       "eu-west-1",
       "models.s3.eu-west-1.amazonaws.com",
       "",
       {{"AWS_REGION", "a-1"}}},
      {"models",
       true,
       "s3.cn-north-1.amazonaws.com.cn",
       443,
       "models",
       "cn-north-1",
       "models.s3.cn-north-1.amazonaws.com.cn",
       "",
       {{"AWS_REGION", "cn-north-1"}}},
      // Slashes and names as people write them.
      {"/store.example/models//", false, "store.example", 80, "models", "us-east-1",
       "store.example", "/models"},
      {"localhost:9000/models", true, "localhost", 9000, "models", "us-east-1", "localhost:9000",
       "/models"},
      {"http://store.example:80/models", false, "store.example", 80, "models", "us-east-1",
       "store.example", "/models"},
      // Others whose host names the region.
      {"https://models.s3.gra.cloud.ovh.net", true, "s3.gra.cloud.ovh.net", 443, "models", "gra",
       "s3.gra.cloud.ovh.net", "/models"},
      {"https://ns.compat.objectstorage.us-ashburn-1.oraclecloud.com/models", true,
       "ns.compat.objectstorage.us-ashburn-1.oraclecloud.com", 443, "models", "us-ashburn-1",
       "ns.compat.objectstorage.us-ashburn-1.oraclecloud.com", "/models"},
      {"http://127.0.0.1:9000/models",
       false,
       "127.0.0.1",
       9000,
       "models",
       "mars-1",
       "127.0.0.1:9000",
       "/models",
       {{"AWS_REGION", "mars-1"}}},
  };
  for (const auto& c : cases) Expect(c, ParseS3Bucket(c.text, With(c.environment)));
}

TEST(S3Location, UnderstandsMinio) {
  const std::vector<Case> cases{
      {"http://10.1.1.1:9000/models", false, "10.1.1.1", 9000, "models", "us-east-1",
       "10.1.1.1:9000", "/models"},
      {"10.1.1.1:9000/minio/models", false, "10.1.1.1", 9000, "models", "us-east-1",
       "10.1.1.1:9000", "/models"},
      {"https://minio.example/models?region=r9", true, "minio.example", 443, "models", "r9",
       "minio.example", "/models"},
      {"https://minio.example/models",
       true,
       "minio.example",
       443,
       "models",
       "r7",
       "minio.example",
       "/models",
       {{"MINIO_REGION", "r7"}}},
  };
  for (const auto& c : cases) Expect(c, ParseMinioBucket(c.text, With(c.environment)));
  EXPECT_FALSE(ParseMinioBucket("http://10.1.1.1:9000", With({})));
}

TEST(S3Location, TakesTheOptionsBehindTheQuestionMark) {
  const auto location = ParseS3Bucket(
      "https://store.example/models?tls-insecure-skip-verify=true&ca-certs=/ca.pem&"
      "ssl-cert=/c.pem&ssl-key=/k.pem&disable-checksum=true",
      With({}));
  ASSERT_TRUE(location) << location.error().message;
  EXPECT_FALSE(location->verify_tls);
  EXPECT_EQ(location->ca_file, "/ca.pem");
  EXPECT_EQ(location->certificate_file, "/c.pem");
  EXPECT_EQ(location->key_file, "/k.pem");
  EXPECT_FALSE(location->checksums);
}

TEST(S3Location, ReadsOptionsAsAUrlHasThem) {
  const auto location = ParseS3Bucket(
      "store.example/models/?disable-100-continue&tls-insecure-skip-verify&ca-certs=%2Fmy%20ca.pem",
      With({}));
  ASSERT_TRUE(location) << location.error().message;
  EXPECT_FALSE(location->tls);
  EXPECT_EQ(location->bucket, "models");
  EXPECT_FALSE(location->verify_tls);
  EXPECT_EQ(location->ca_file, "/my ca.pem");
  EXPECT_TRUE(location->checksums);
  const auto off =
      ParseS3Bucket("https://store.example/models?tls-insecure-skip-verify=false", With({}));
  ASSERT_TRUE(off) << off.error().message;
  EXPECT_TRUE(off->verify_tls);
}

TEST(S3Location, SaysWhatIsWrong) {
  const auto why = [](std::string_view text) {
    const auto location = ParseS3Bucket(text, With({}));
    return location ? std::string("no error") : location.error().message;
  };
  EXPECT_THAT(why("http://store.example:99999/models"), HasSubstr("port"));
  EXPECT_THAT(why("http://store.example:0/models"), HasSubstr("port"));
  EXPECT_THAT(why("http://store.example:http/models"), HasSubstr("port"));
  EXPECT_THAT(why("ftp://store.example/models"), HasSubstr("http"));
  EXPECT_THAT(why("https://"), HasSubstr("no host"));
  EXPECT_THAT(why(""), HasSubstr("no host"));
  for (const auto* text : {"http://10.0.0.5:9000", "10.0.0.5", "http://[::1]:9000/",
                           "localhost:9000", "https://s3.amazonaws.com"}) {
    EXPECT_THAT(why(text), HasSubstr("no bucket")) << text;
  }
}

TEST(S3Location, MovesToAnotherRegionOfAmazon) {
  const auto moved = [](std::string_view text, const std::string& region) {
    auto location = ParseS3Bucket(text, With({}));
    if (!location) return location.error().message;
    location->MoveTo(region);
    EXPECT_EQ(location->region, region);
    return location->HostHeader();
  };
  EXPECT_EQ(moved("models", "eu-west-1"), "models.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(moved("https://models.s3.amazonaws.com", "eu-west-1"),
            "models.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(moved("https://models.s3-us-west-2.amazonaws.com", "eu-west-1"),
            "models.s3-eu-west-1.amazonaws.com");
  EXPECT_EQ(moved("https://s3.dualstack.us-west-2.amazonaws.com/models", "eu-west-1"),
            "models.s3.dualstack.eu-west-1.amazonaws.com");
}

TEST(Credentials, ComeFromTheEnvironmentFirst) {
  const auto found = AmbientCredentials(With({{"AWS_ACCESS_KEY_ID", "id"},
                                              {"AWS_SECRET_ACCESS_KEY", "secret"},
                                              {"AWS_SESSION_TOKEN", "token"}}),
                                        [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->access_key, "id");
  EXPECT_EQ(found->secret_key.Reveal(), "secret");
  EXPECT_EQ(found->session_token.Reveal(), "token");
}

TEST(Credentials, ComeFromTheProfileOfTheSharedFile) {
  const auto read = [](const std::string& path) -> std::optional<std::string> {
    if (path != "/users/u/.aws/credentials") return std::nullopt;
    return "[default]\naws_access_key_id = a\naws_secret_access_key=b\n# note\n[dev]\n"
           "aws_access_key_id=c\naws_secret_access_key = d\naws_session_token=e\n";
  };
  auto found = AmbientCredentials(With({{"HOME", "/users/u"}}), read);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->access_key + found->secret_key.Reveal(), "ab");
  found = AmbientCredentials(With({{"HOME", "/users/u"}, {"AWS_PROFILE", "dev"}}), read);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->access_key + found->secret_key.Reveal() + found->session_token.Reveal(), "cde");
  found = AmbientCredentials(With({{"HOME", "/users/u"}, {"AWS_PROFILE", "gone"}}), read);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("ACCESS_KEY"));
}

}  // namespace
}  // namespace prewarm::agent
