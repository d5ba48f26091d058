// Where credentials for Google Cloud come from, and the tokens that are made of them.
#include "agent/store/google_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <boost/json/parse.hpp>
#include <map>
#include <memory>

#include "tests/rig/environment.h"

namespace prewarm::agent {
namespace {

using rig::With;
using std::chrono_literals::operator""s;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using Files = std::map<std::string, std::string>;

Result<GoogleCredentials> Find(const rig::Variables& variables, const Files& files = {}) {
  return FindGoogleCredentials(With(variables),
                               [&](const std::string& path) -> std::optional<std::string> {
                                 const auto found = files.find(path);
                                 if (found == files.end()) return std::nullopt;
                                 return found->second;
                               });
}

constexpr const char* kKeyFile =
    R"({"type": "service_account", "client_email": "a@p.iam.gserviceaccount.com",
        "private_key_id": "k1", "private_key": "PEM", "project_id": "p"})";

TEST(GoogleCredentials, ComeFromTheNamedFileThenTheUsersThenTheMetadataServer) {
  const Files files{{"/key.json", kKeyFile},
                    {"/ours/.config/gcloud/application_default_credentials.json",
                     R"({"type": "service_account", "client_email": "user", "private_key": "P"})"}};
  const auto named =
      Find({{"GOOGLE_APPLICATION_CREDENTIALS", "/key.json"}, {"HOME", "/ours"}}, files);
  ASSERT_TRUE(named) << named.error().message;
  const auto& key = std::get<ServiceAccountKey>(*named);
  EXPECT_EQ(key.email, "a@p.iam.gserviceaccount.com");
  EXPECT_EQ(key.key_id, "k1");
  EXPECT_EQ(key.private_key.Reveal(), "PEM");
  EXPECT_EQ(std::get<ServiceAccountKey>(*Find({{"HOME", "/ours"}}, files)).email, "user");
  EXPECT_EQ(std::get<MetadataServer>(*Find({{"HOME", "/nowhere"}}, files)).host,
            "metadata.google.internal");
  const auto other = std::get<MetadataServer>(*Find({{"GCE_METADATA_HOST", "10.0.0.1:988"}}));
  EXPECT_EQ(other.host, "10.0.0.1");
  EXPECT_EQ(other.port, 988);
}

TEST(GoogleCredentials, SayWhatIsWrongWithThemAndNothingSecret) {
  const auto why = [](const std::string& text) {
    const auto found =
        Find({{"GOOGLE_APPLICATION_CREDENTIALS", "/key.json"}}, {{"/key.json", text}});
    if (found) return std::string("no error");
    EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(found.error().message, AllOf(HasSubstr("/key.json"), HasSubstr("Workload Identity"),
                                             Not(HasSubstr("hush"))));
    return found.error().message;
  };
  EXPECT_THAT(why("hush"), HasSubstr("not a JSON object"));
  EXPECT_THAT(why(R"(["hush"])"), HasSubstr("not a JSON object"));
  EXPECT_THAT(why(R"({"type": "authorized_user", "refresh_token": "hush"})"),
              HasSubstr("authorized_user"));
  EXPECT_THAT(why(R"({"type": "service_account", "private_key": "hush"})"),
              HasSubstr("client_email"));
  EXPECT_THAT(why(R"({"type": "service_account", "client_email": 7, "private_key": ["hush"]})"),
              HasSubstr("client_email"));
  EXPECT_THAT(Find({{"GOOGLE_APPLICATION_CREDENTIALS", "/gone"}}).error().message,
              HasSubstr("/gone"));
  for (const auto* host : {"host:", "host:0", "host:x", "host:70000"}) {
    EXPECT_FALSE(Find({{"GCE_METADATA_HOST", host}})) << host;
  }
}

class SelfSigned : public testing::Test {
 protected:
  SelfSigned() : pair_(EVP_RSA_gen(2048), &EVP_PKEY_free) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
    PEM_write_bio_PrivateKey(bio.get(), pair_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &text);
    key_ = {"a@p", "k1", Secret(std::string(text, static_cast<std::size_t>(size)))};
  }

  static std::string Decoded(std::string text) {
    for (auto& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    const auto padding = (4 - text.size() % 4) % 4;
    text.append(padding, '=');
    std::string bytes(text.size() / 4 * 3, '\0');
    EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                    reinterpret_cast<const unsigned char*>(text.data()),
                    static_cast<int>(text.size()));
    bytes.resize(bytes.size() - padding);
    return bytes;
  }

  bool Verifies(const std::string& signed_part, const std::string& signature) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, pair_.get());
    return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(),
                            reinterpret_cast<const unsigned char*>(signed_part.data()),
                            signed_part.size()) == 1;
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair_;
  ServiceAccountKey key_;
};

TEST_F(SelfSigned, TokensSayWhoAsksForHowLongAndAreSignedByTheKey) {
  const auto token = SelfSignedToken(key_, WallTime(1'800'000'000s));
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->lifetime, std::chrono::hours(1));
  const auto& text = token->text.Reveal();
  const auto first = text.find('.');
  const auto second = text.rfind('.');
  ASSERT_LT(first, second);
  EXPECT_EQ(boost::json::parse(Decoded(text.substr(0, first))),
            boost::json::parse(R"({"alg": "RS256", "typ": "JWT", "kid": "k1"})"));
  EXPECT_EQ(boost::json::parse(Decoded(text.substr(first + 1, second - first - 1))),
            boost::json::parse(R"({"iss": "a@p", "sub": "a@p", "iat": 1800000000,
                                   "exp": 1800003600, "aud": "https://storage.googleapis.com/"})"));
  EXPECT_EQ(text.find_first_of("+/="), std::string::npos);
  const auto signature = Decoded(text.substr(second + 1));
  EXPECT_TRUE(Verifies(text.substr(0, second), signature));
  EXPECT_FALSE(Verifies(text.substr(0, second - 1), signature));
}

TEST_F(SelfSigned, TokensNeedAnRsaKey) {
  key_.private_key = Secret("-----BEGIN hush");
  const auto token = SelfSignedToken(key_, WallTime(1s));
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(token.error().message, AllOf(HasSubstr("a@p"), Not(HasSubstr("hush"))));
}

TEST(MetadataToken, IsReadStrictly) {
  const auto token = ReadMetadataToken(
      R"({"access_token": "ya29.x", "expires_in": 3599, "token_type": "Bearer"})");
  ASSERT_TRUE(token);
  EXPECT_EQ(token->text.Reveal(), "ya29.x");
  EXPECT_EQ(token->lifetime, 3599s);
  for (const auto* wrong : {"", "hush", "[]", R"({"access_token": "hush"})",
                            R"({"expires_in": 60})", R"({"access_token": "hush", "expires_in": 0})",
                            R"({"access_token": "hush", "expires_in": -5})",
                            R"({"access_token": "hush\r\nHost: evil", "expires_in": 60})",
                            R"({"access_token": ["hush"], "expires_in": 60})"}) {
    const auto read = ReadMetadataToken(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(read.error().message, Not(HasSubstr("hush")));
  }
}

}  // namespace
}  // namespace prewarm::agent
