// TLS against the server of the openssl program, which echoes each line in reverse.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "common/net/stream.h"
#include "tests/rig/certificates.h"
#include "tests/rig/child_process.h"
#include "tests/rig/run_task.h"
#include "tests/rig/socket_server.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::net {
namespace {

using rig::RunTask;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class OpenSslServer {
 public:
  OpenSslServer(const rig::KeyPair& pair, const std::string& log,
                const std::vector<std::string>& more = {})
      : port_(rig::FreePort()) {
    std::vector<std::string> argv{"openssl", "s_server",
                                  "-accept", "127.0.0.1:" + std::to_string(port_),
                                  "-cert",   pair.certificate_file,
                                  "-key",    pair.key_file,
                                  "-rev"};
    argv.insert(argv.end(), more.begin(), more.end());
    process_.emplace(argv, log);
    EXPECT_TRUE(rig::WaitFor([this] { return rig::AcceptsConnections(port_); })) << process_->Log();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  rig::ChildProcess& process() { return *process_; }

 private:
  std::uint16_t port_;
  std::optional<rig::ChildProcess> process_;
};

class Tls : public testing::Test {
 protected:
  Tls() : authority_(folder_.path()) {}

  OpenSslServer Serve(const rig::KeyPair& pair, const std::vector<std::string>& more = {}) {
    return {pair, folder_ / "server.log", more};
  }
  Result<std::unique_ptr<Stream>> ConnectTo(std::uint16_t port, const TlsOptions& options,
                                            std::string name = "", Duration limit = 5s) {
    auto context = MakeTlsContext(options);
    if (!context) return context.error();
    return RunTask(loop_,
                   Connect({"127.0.0.1", port, *std::move(context), std::move(name)}, limit));
  }
  TlsOptions Trusting() {
    TlsOptions options;
    options.ca_file = authority_.ca_file();
    return options;
  }
  // What the server answers to `line`.
  Result<std::string> Ask(Stream& stream, std::string line) {
    line += "\n";
    TRY_STATUS(RunTask(loop_, stream.Write(std::as_bytes(std::span(line)), 5s)));
    std::string answer;
    while (!answer.ends_with('\n')) {
      std::array<char, 100> bytes{};
      TRY(const auto size,
          RunTask(loop_, stream.ReadSome(std::as_writable_bytes(std::span(bytes)), 5s)));
      answer.append(bytes.data(), size);
    }
    return answer;
  }

  const rig::TempDir folder_;
  rig::CertificateAuthority authority_;
  boost::asio::io_context loop_;
};

// `why` is a part of the message.
void ExpectRefused(const Result<std::unique_ptr<Stream>>& stream, const std::string& why) {
  ASSERT_FALSE(stream);
  EXPECT_EQ(CodeName(stream.error().code), CodeName(ErrorCode::kPermission));
  EXPECT_NE(stream.error().message.find(why), std::string::npos) << stream.error().message;
}

TEST_F(Tls, CarriesBytesBothWaysUnderACertificateOfOurAuthority) {
  const auto server = Serve(authority_.Issue("server", "IP:127.0.0.1"));
  const auto stream = ConnectTo(server.port(), Trusting());
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(Ask(**stream, "stressed").value_or("failed"), "desserts\n");
  const std::string line(5000, 'x');
  EXPECT_EQ(Ask(**stream, line).value_or("failed"), line + "\n");
}

TEST_F(Tls, ChecksTheNameThatItWasToldToExpect) {
  const auto server = Serve(authority_.Issue("server", "DNS:store.example.com"));
  // Not kept: the server has one connection at a time.
  EXPECT_TRUE(ConnectTo(server.port(), Trusting(), "store.example.com"));
  ExpectRefused(ConnectTo(server.port(), Trusting(), "other.example.com"), "mismatch");
  ExpectRefused(ConnectTo(server.port(), Trusting()), "mismatch");
}

TEST_F(Tls, RefusesAnAuthorityThatItDoesNotKnow) {
  const auto server = Serve(authority_.Issue("server", "IP:127.0.0.1"));
  ExpectRefused(ConnectTo(server.port(), TlsOptions()), "certificate");
  const rig::TempDir other_folder;
  const rig::CertificateAuthority other(other_folder.path());
  TlsOptions options;
  options.ca_file = other.ca_file();
  ExpectRefused(ConnectTo(server.port(), options), "certificate");
}

TEST_F(Tls, RefusesAnExpiredCertificate) {
  const auto server = Serve(authority_.Issue("server", "IP:127.0.0.1", -1));
  ExpectRefused(ConnectTo(server.port(), Trusting()), "expired");
}

TEST_F(Tls, AcceptsEverythingIfToldNotToVerify) {
  const auto server = Serve(authority_.Issue("server", "DNS:other.example.com", -1));
  TlsOptions options;
  options.verify = false;
  const auto stream = ConnectTo(server.port(), options);
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(Ask(**stream, "abc").value_or("failed"), "cba\n");
}

TEST_F(Tls, ShowsItsOwnCertificate) {
  const auto pair = authority_.Issue("server", "IP:127.0.0.1");
  const auto server =
      Serve(pair, {"-Verify", "2", "-verify_return_error", "-CAfile", authority_.ca_file()});
  auto options = Trusting();
  const auto anonymous = ConnectTo(server.port(), options);
  EXPECT_FALSE(anonymous && Ask(**anonymous, "abc")) << "TLS 1.3 refuses with the first answer";

  const auto client = authority_.Issue("client", "DNS:client");
  options.certificate_file = client.certificate_file;
  options.key_file = client.key_file;
  const auto known = ConnectTo(server.port(), options);
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_EQ(Ask(**known, "abc").value_or("failed"), "cba\n");
}

TEST_F(Tls, RefusesVersionsBefore12) {
  const auto server = Serve(authority_.Issue("server", "IP:127.0.0.1"),
                            {"-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"});
  ExpectRefused(ConnectTo(server.port(), Trusting()), "TLS");
}

TEST_F(Tls, IsNotMistakenByAServerThatSpeaksPlainly) {
  const rig::SocketServer server([](rig::ServedConnection& connection) {
    connection.Send("HTTP/1.1 400 Bad Request\r\n\r\n");
    connection.StaySilent();
  });
  ExpectRefused(ConnectTo(server.port(), Trusting()), "wrong version number");
}

TEST_F(Tls, GivesUpOnAHandshakeThatNeverEnds) {
  const rig::SocketServer server(
      [](rig::ServedConnection& connection) { connection.StaySilent(); });
  const auto stream = ConnectTo(server.port(), Trusting(), "", 50ms);
  ASSERT_FALSE(stream);
  EXPECT_EQ(CodeName(stream.error().code), CodeName(ErrorCode::kTimeout));
}

TEST_F(Tls, TellsThatTheServerHungUpInTheHandshake) {
  const rig::SocketServer server([](rig::ServedConnection&) {});
  const auto stream = ConnectTo(server.port(), Trusting());
  ASSERT_FALSE(stream);
  EXPECT_EQ(CodeName(stream.error().code), CodeName(ErrorCode::kUnavailable))
      << stream.error().message;
}

TEST_F(Tls, TellsThatTheServerIsGone) {
  auto server = Serve(authority_.Issue("server", "IP:127.0.0.1"));
  const auto stream = ConnectTo(server.port(), Trusting());
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(Ask(**stream, "abc"));
  server.process().Signal(SIGKILL);
  server.process().Wait();
  const auto answer = Ask(**stream, "abc");
  ASSERT_FALSE(answer);
  EXPECT_EQ(CodeName(answer.error().code), CodeName(ErrorCode::kUnavailable));
}

TEST_F(Tls, TakesCertificatesAsTextsInsteadOfFiles) {
  const auto text_of = [](const std::string& file) {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  };
  const auto client = authority_.Issue("client", "DNS:client");
  auto server = Serve(authority_.Issue("server", "IP:127.0.0.1"),
                      {"-Verify", "1", "-CAfile", authority_.ca_file(), "-verify_return_error"});
  TlsOptions options;
  options.ca_pem = text_of(authority_.ca_file());
  options.certificate_pem = text_of(client.certificate_file);
  options.key_pem = Secret(text_of(client.key_file));
  auto stream = ConnectTo(server.port(), options);
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(Ask(**stream, "abc").value_or("failed"), "cba\n");

  const auto problem_of = [](const TlsOptions& wrong) {
    const auto context = MakeTlsContext(wrong);
    return context ? "" : context.error().message;
  };
  auto wrong = options;
  wrong.ca_pem = "no certificate at all";
  EXPECT_NE(problem_of(wrong).find("authority"), std::string::npos);
  wrong = options;
  wrong.certificate_pem = wrong.key_pem.Reveal();
  EXPECT_NE(problem_of(wrong).find("client's certificate"), std::string::npos);
  wrong = options;
  wrong.key_pem = Secret(wrong.certificate_pem);
  EXPECT_NE(problem_of(wrong).find("client's key"), std::string::npos);
}

TEST_F(Tls, NamesTheFileThatCannotBeUsed) {
  const auto pair = authority_.Issue("server", "IP:127.0.0.1");
  const auto other = authority_.Issue("other", "IP:127.0.0.1");
  const std::string text = folder_ / "text.pem";
  std::ofstream(text) << "no certificate at all\n";
  const auto expect_named = [](const TlsOptions& options, const std::string& file) {
    const auto context = MakeTlsContext(options);
    ASSERT_FALSE(context) << file;
    EXPECT_EQ(CodeName(context.error().code), CodeName(ErrorCode::kInvalidConfig));
    EXPECT_NE(context.error().message.find(file), std::string::npos) << context.error().message;
  };
  expect_named({"/nowhere/ca.pem", "", "", true}, "/nowhere/ca.pem");
  expect_named({text, "", "", true}, text);
  expect_named({authority_.ca_file(), text, pair.key_file, true}, text);
  expect_named({authority_.ca_file(), pair.certificate_file, text, true}, text);
  expect_named({authority_.ca_file(), pair.certificate_file, other.key_file, true}, other.key_file);
}

}  // namespace
}  // namespace prewarm::net
