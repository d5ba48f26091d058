// The S3 store against real servers: signatures, refusals, ranges, TLS, kept connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "agent/store/sigv4.h"
#include "agent/store/store_factory.h"
#include "common/juicefs/trailer.h"
#include "common/net/stream.h"
#include "tests/integration/store/real_servers.h"
#include "tests/rig/environment.h"
#include "tests/rig/run_task.h"
#include "tests/unit/agent/store/loop.h"

namespace prewarm::agent {
namespace {

using rig::Nginx;
using rig::VersityGateway;
using std::chrono_literals::operator""s;
using testing::HasSubstr;

constexpr auto kKey = "vol/chunks/0/0/1_0_4194304";

class RealStore : public testing::Test {
 protected:
  ~RealStore() override { pool_.join(); }

  static void PutFile(const std::filesystem::path& objects, const std::string& bytes) {
    const auto file = objects / "models" / kKey;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
  }

  std::unique_ptr<ObjectStore> Open(const std::string& bucket,
                                    const std::string& access_key = VersityGateway::kAccessKey,
                                    const std::string& secret_key = VersityGateway::kSecretKey,
                                    const std::string& storage = "s3") {
    StoreOptions options;
    options.storage = storage;
    options.bucket = bucket;
    options.access_key = access_key;
    options.secret_key = Secret(secret_key);
    options.environment = rig::With({});
    auto store = MakeObjectStore(options, pool_, clock_);
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }

  Got Read(ObjectStore& store, const ReadRequest& request) {
    return loop_.Read(store, request, 5 << 20);
  }
  // The error of reading kKey; its code in words, so that failures are legible.
  std::string ErrorOf(ObjectStore& store) {
    const auto got = Read(store, Whole(kKey));
    if (got.result) return "no error";
    const auto& error = got.result.error();
    return std::string(CodeName(error.code)) + "/" + std::string(ReasonName(error.reason)) + ": " +
           error.message;
  }

  boost::asio::thread_pool pool_{1};
  SystemClock clock_;
  Loop loop_;
  const std::string bytes_ = SomeBytes(4 << 20);
};

std::string Url(const std::string& scheme, std::uint16_t port, const std::string& rest) {
  return scheme + "://127.0.0.1:" + std::to_string(port) + "/" + rest;
}

TEST_F(RealStore, ReadsObjectsAndRangesWithSignedRequests) {
  const VersityGateway gateway;
  PutFile(gateway.objects(), bytes_);
  for (const auto* storage : {"s3", "minio"}) {
    const auto store = Open(Url("http", gateway.port, "models"), VersityGateway::kAccessKey,
                            VersityGateway::kSecretKey, storage);
    const auto whole = Read(*store, Whole(kKey));
    ASSERT_TRUE(whole.result) << whole.result.error().message;
    EXPECT_TRUE(whole.bytes == bytes_);
    const auto part = Read(*store, Range(kKey, 1234567, 89));
    ASSERT_TRUE(part.result) << part.result.error().message;
    EXPECT_EQ(part.bytes, bytes_.substr(1234567, 89));
    const auto tail = Read(*store, Range(kKey, bytes_.size() - 5, 10));
    ASSERT_FALSE(tail.result);
    EXPECT_EQ(tail.result.error().reason, Reason::kWrongLength);
    const auto beyond = Read(*store, Range(kKey, bytes_.size() + 5, 10));
    ASSERT_FALSE(beyond.result);
    EXPECT_EQ(beyond.result.error().reason, Reason::kWrongLength);
  }
}

// Everything that a path may have to encode is signed as it is sent.
TEST_F(RealStore, OddKeysAreSignedAsTheyAreSent) {
  const VersityGateway gateway;
  const std::string key = "vol/a b+c=d&e%41~'(ü)";
  std::filesystem::create_directories(gateway.objects() / "models/vol");
  std::ofstream(gateway.objects() / "models" / key) << "odd";
  const auto store = Open(Url("http", gateway.port, "models"));
  const auto got = Read(*store, Whole(key));
  ASSERT_TRUE(got.result) << got.result.error().message;
  EXPECT_EQ(got.bytes, "odd");
}

TEST_F(RealStore, SaysWhatIsMissingOrRefused) {
  const VersityGateway gateway;
  PutFile(gateway.objects(), bytes_);
  const auto url = Url("http", gateway.port, "models");
  EXPECT_THAT(ErrorOf(*Open(url, VersityGateway::kAccessKey, "wrong")),
              HasSubstr("permission/access_denied"));
  EXPECT_THAT(ErrorOf(*Open(url, "nobody")), HasSubstr("not_found/unspecified"));  // as it says
  EXPECT_THAT(ErrorOf(*Open(url, "anonymous")), HasSubstr("permission/access_denied"));
  EXPECT_THAT(ErrorOf(*Open(Url("http", gateway.port, "elsewhere"))),
              HasSubstr("not_found/unspecified"));
  std::filesystem::remove(gateway.objects() / "models" / kKey);
  EXPECT_THAT(ErrorOf(*Open(url)), HasSubstr("not_found/not_found"));
}

Task<Result<std::string>> Exchange(std::uint16_t port, std::string request) {
  CO_TRY(auto stream, co_await net::Connect({"127.0.0.1", port, nullptr, ""}, 5s));
  CO_TRY_STATUS(co_await stream->Write(std::as_bytes(std::span(request)), 5s));
  std::string answer(1000, '\0');
  CO_TRY(const auto size, co_await stream->ReadSome(std::as_writable_bytes(std::span(answer)), 5s));
  co_return answer.substr(0, size);
}

TEST_F(RealStore, GivesTheChecksumThatWasStoredWithTheObject) {
  const VersityGateway gateway;
  const std::string body = "123456789";
  SigningInput input;
  input.method = "PUT";
  input.host = "127.0.0.1:" + std::to_string(gateway.port);
  input.path = "/models/put";
  input.headers = {{"x-amz-meta-crc32c", "3808858755"}};
  const S3Credentials credentials{VersityGateway::kAccessKey, Secret(VersityGateway::kSecretKey),
                                  Secret()};
  std::string request = "PUT " + input.path + " HTTP/1.1\r\nHost: " + input.host +
                        "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  for (const auto& [name, value] : SignV4(input, credentials, "us-east-1", clock_.WallNow())) {
    request += name + ": " + value + "\r\n";
  }
  const auto answer =
      rig::RunTask(loop_.context(), Exchange(gateway.port, request + "\r\n" + body));
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_THAT(*answer, HasSubstr("200 OK"));

  const auto store = Open(Url("http", gateway.port, "models"));
  const auto got = Read(*store, Whole("put"));
  ASSERT_TRUE(got.result) << got.result.error().message;
  EXPECT_EQ(got.bytes, body);
  EXPECT_EQ(got.result->crc32c, juicefs::Crc32c(std::as_bytes(std::span(body))));
  const auto deaf = Open(Url("http", gateway.port, "models?disable-checksum=true"));
  const auto unchecked = Read(*deaf, Whole("put"));
  ASSERT_TRUE(unchecked.result) << unchecked.result.error().message;
  EXPECT_FALSE(unchecked.result->crc32c);
}

class RealStoreOverTls : public RealStore {
 protected:
  RealStoreOverTls() : authority_(folder_.path()) {}

  const rig::TempDir folder_;
  rig::CertificateAuthority authority_;
};

TEST_F(RealStoreOverTls, TrustsTheServerThatItsAuthorityVouchesFor) {
  const VersityGateway gateway(authority_.Issue("gateway", "DNS:localhost,IP:127.0.0.1"));
  PutFile(gateway.objects(), bytes_);
  const auto port = std::to_string(gateway.port);
  const std::string trusted = "models?ca-certs=" + authority_.ca_file();
  for (const auto& url :
       {Url("https", gateway.port, trusted), "https://localhost:" + port + "/" + trusted,
        Url("https", gateway.port, "models?tls-insecure-skip-verify=true")}) {
    const auto store = Open(url);
    const auto got = Read(*store, Whole(kKey));
    ASSERT_TRUE(got.result) << url << ": " << got.result.error().message;
    EXPECT_TRUE(got.bytes == bytes_);
  }
  EXPECT_THAT(ErrorOf(*Open(Url("https", gateway.port, "models"))),
              testing::AllOf(HasSubstr("permission/"), HasSubstr("local issuer certificate")));
}

TEST_F(RealStoreOverTls, SaysThatACertificateIsForAnotherHost) {
  const VersityGateway gateway(authority_.Issue("other", "DNS:other.example,IP:10.9.9.9"));
  const std::string rest =
      std::to_string(gateway.port) + "/models?ca-certs=" + authority_.ca_file();
  EXPECT_THAT(ErrorOf(*Open("https://127.0.0.1:" + rest)),
              testing::AllOf(HasSubstr("permission/"), HasSubstr("IP address mismatch")));
  EXPECT_THAT(ErrorOf(*Open("https://localhost:" + rest)),
              testing::AllOf(HasSubstr("permission/"), HasSubstr("hostname mismatch")));
}

TEST_F(RealStore, RefusesToSpeakTlsWithWhatIsNotTls) {
  const VersityGateway gateway;
  const auto error = ErrorOf(*Open(Url("https", gateway.port, "models")));
  EXPECT_THAT(error, testing::AllOf(HasSubstr("permission/"), HasSubstr("TLS with 127.0.0.1:")));
}

TEST_F(RealStoreOverTls, ShowsItsOwnCertificateWhereOneIsAskedFor) {
  const auto server = authority_.Issue("server", "IP:127.0.0.1");
  const auto client = authority_.Issue("client", "DNS:client");
  const Nginx nginx("ssl_certificate " + server.certificate_file + "; ssl_certificate_key " +
                    server.key_file + "; ssl_client_certificate " + authority_.ca_file() +
                    "; ssl_verify_client on;");
  PutFile(nginx.objects(), bytes_);
  const auto url = Url("https", nginx.port, "models?ca-certs=" + authority_.ca_file());
  const auto store = Open(
      url + "&ssl-cert=" + client.certificate_file + "&ssl-key=" + client.key_file, "anonymous");
  const auto got = Read(*store, Whole(kKey));
  ASSERT_TRUE(got.result) << got.result.error().message;
  EXPECT_TRUE(got.bytes == bytes_);
  EXPECT_THAT(ErrorOf(*Open(url, "anonymous")), HasSubstr("permission/"));
}

TEST_F(RealStore, KeepsItsConnections) {
  const Nginx nginx;
  PutFile(nginx.objects(), bytes_);
  const auto store = Open(Url("http", nginx.port, "models"), "anonymous");
  for (int i = 0; i < 5; ++i) {
    const auto got = Read(*store, Whole(kKey));
    ASSERT_TRUE(got.result) << got.result.error().message;
    ASSERT_TRUE(got.bytes == bytes_);
  }
  for (const auto& got : loop_.ReadAll(*store, std::vector<ReadRequest>(4, Whole(kKey)), 5 << 20)) {
    ASSERT_TRUE(got.result) << got.result.error().message;
    EXPECT_TRUE(got.bytes == bytes_);
  }
  // The log is written after the answer.
  ASSERT_TRUE(rig::WaitFor([&] { return nginx.Connections().size() >= 9; }));
  const auto connections = nginx.Connections();
  EXPECT_EQ(std::set<std::string>(connections.begin(), connections.begin() + 5).size(), 1U);
  EXPECT_LE(std::set<std::string>(connections.begin(), connections.end()).size(), 5U);
}

}  // namespace
}  // namespace prewarm::agent
