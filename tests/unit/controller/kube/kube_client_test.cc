// The client against a server that says exactly what a test wants, over real connections.
#include "controller/kube/kube_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/async/guarded.h"
#include "tests/rig/run_task.h"
#include "tests/rig/socket_server.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::controller::kube {
namespace {

using rig::ServedConnection;
using rig::SocketServer;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Answer(const std::string& body, const std::string& status = "200 OK",
                   const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string Chunk(const std::string& bytes) {
  std::array<char, 20> size{};
  std::snprintf(size.data(), size.size(), "%zx", bytes.size());
  return std::string(size.data()) + "\r\n" + bytes + "\r\n";
}

constexpr auto kChunkedHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr auto kLastChunk = "0\r\n\r\n";

std::string Added(const std::string& name) {
  return R"({"type":"ADDED","object":{"metadata":{"name":")" + name + "\"}}}\n";
}

class KubeClientTest : public testing::Test {
 protected:
  ~KubeClientTest() override { pool_.join(); }

  // A server whose connections are each served by `handler`, and a client of it.
  void Serve(SocketServer::Handler handler, KubeClientOptions options = {}) {
    server_.emplace(std::move(handler));
    KubeConfig config;
    config.host = "127.0.0.1";
    config.port = server_->port();
    config.tls = false;
    config.token = token_file_.empty() ? Secret("sesame") : Secret();
    config.token_file = token_file_;
    auto client = KubeClient::Make(loop_.get_executor(), pool_, clock_, config, options);
    ASSERT_TRUE(client) << client.error().message;
    client_ = *std::move(client);
  }
  // A server that answers every request with these bytes.
  void ServeBytes(const std::string& bytes, KubeClientOptions options = {}) {
    Serve(
        [bytes](ServedConnection& connection) {
          while (connection.ReadHead() && connection.Send(bytes)) {
          }
        },
        options);
  }
  // Sends these bytes in answer to the first request and closes.
  void ServeOnce(const std::string& bytes, KubeClientOptions options = {}) {
    Serve(
        [bytes](ServedConnection& connection) {
          if (connection.ReadHead()) connection.Send(bytes);
        },
        options);
  }
  Result<KubeAnswer> Send(KubeRequest request) {
    return rig::RunTask(loop_, client_->Send(std::move(request)));
  }
  Result<KubeAnswer> Get(Duration deadline = seconds(10)) {
    return Send({.path = "/api/v1/pods", .deadline = deadline});
  }
  Result<KubeAnswer> Watch(seconds timeout = seconds(10)) {
    names_.clear();
    return rig::RunTask(loop_, client_->Watch({.path = "/api/v1/pods", .timeout = timeout},
                                              [this](auto, const boost::json::object& object) {
                                                names_.push_back(std::string(
                                                    object.at("metadata").at("name").as_string()));
                                                return Status();
                                              }));
  }

  boost::asio::io_context loop_;
  boost::asio::thread_pool pool_{1};
  SystemClock clock_;
  std::string token_file_;
  std::optional<SocketServer> server_;
  std::unique_ptr<KubeClient> client_;
  std::vector<std::string> names_;
};

void ExpectFailure(const Result<KubeAnswer>& answer, ErrorCode code, const std::string& text) {
  ASSERT_FALSE(answer);
  EXPECT_EQ(CodeName(answer.error().code), CodeName(code)) << answer.error().message;
  EXPECT_THAT(answer.error().message, HasSubstr(text));
}

TEST_F(KubeClientTest, SaysWhatItWantsAndWhoItIs) {
  Guarded<std::string> seen;
  Serve([&seen](ServedConnection& connection) {
    const auto head = connection.ReadHead();
    seen.With([&](auto& text) { text = head.value_or(""); });
    connection.Send(Answer(R"({"kind":"Pod"})"));
  });
  const auto answer = Send({.method = Method::kPatch,
                            .path = "/api/v1/namespaces/a/pods/b",
                            .query = {{"fieldManager", "pre&warm"}, {"force", "true"}},
                            .body = boost::json::object{{"a", 1}},
                            .content_type = ContentType::kApplyPatch});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->body.at("kind").as_string(), "Pod");
  const auto head = seen.With([](auto& text) { return text; });
  EXPECT_THAT(head, testing::StartsWith("PATCH /api/v1/namespaces/a/pods/b"
                                        "?fieldManager=pre%26warm&force=true HTTP/1.1\r\n"));
  for (const auto* line : {"Authorization: Bearer sesame\r\n", "Accept: application/json\r\n",
                           "Content-Type: application/apply-patch+yaml\r\n",
                           "Content-Length: 7\r\n", "User-Agent: prewarm-controller\r\n"}) {
    EXPECT_THAT(head, HasSubstr(line));
  }
}

TEST_F(KubeClientTest, ReadsAnAnswerInChunksOfAnySize) {
  const std::string body = R"({"items":["one","two"],"n":12345})";
  std::string bytes = kChunkedHead;
  for (const char c : body) bytes += Chunk(std::string(1, c));
  ServeBytes(bytes + kLastChunk);
  for (int n = 0; n < 3; ++n) {
    const auto answer = Get();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(boost::json::serialize(answer->body), body);
  }
  EXPECT_EQ(server_->accepted(), 1U) << "the connection was to be kept";
}

TEST_F(KubeClientTest, ReadsAnAnswerThatEndsWithTheConnection) {
  ServeOnce("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"a\":1}");
  const auto answer = Get();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body.at("a").as_int64(), 1);
}

TEST_F(KubeClientTest, FindsEveryKindOfDamage) {
  const auto answers = [this](const std::string& bytes) {
    KubeClientOptions options;
    options.answer_limit = 1000;
    ServeOnce(bytes, options);
    return Get();
  };
  ExpectFailure(answers(std::string(kChunkedHead) + "zz\r\n{}"), ErrorCode::kCorrupt, "not HTTP");
  ExpectFailure(answers("SSH-2.0-OpenSSH_9.2\r\n"), ErrorCode::kCorrupt, "not HTTP");
  ExpectFailure(answers("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')), ErrorCode::kCorrupt,
                "not HTTP");
  ExpectFailure(answers(Answer("{\"a\":")), ErrorCode::kCorrupt, "not JSON");
  ExpectFailure(answers(Answer("{} {}")), ErrorCode::kCorrupt, "not JSON");
  ExpectFailure(answers(Answer("[" + std::string(990, ' ') + "1234567890]")), ErrorCode::kCorrupt,
                "longer than");
  ExpectFailure(answers(Answer(std::string(200, '['))), ErrorCode::kCorrupt, "not JSON");
  ExpectFailure(answers("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
                ErrorCode::kUnavailable, "closed");
  ExpectFailure(answers(std::string(kChunkedHead) + Chunk("{\"a\":1}")), ErrorCode::kUnavailable,
                "closed");
  ExpectFailure(answers(""), ErrorCode::kUnavailable, "closed");
}

TEST_F(KubeClientTest, TellsATooLongAnswerFromOtherDamage) {
  KubeClientOptions options;
  options.answer_limit = 10;
  ServeOnce(Answer(R"({"a":"aaaaaaaaaaaaa"})"), options);
  const auto answer = Get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().reason, Reason::kWrongLength);
}

TEST_F(KubeClientTest, MakesErrorsOfAnswersWithTheWordsOfTheServer) {
  const std::vector<std::tuple<std::string, ErrorCode>> meanings = {
      {"400 Bad Request", ErrorCode::kInvalidArgument},
      {"403 Forbidden", ErrorCode::kPermission},
      {"404 Not Found", ErrorCode::kNotFound},
      {"409 Conflict", ErrorCode::kConflict},
      {"410 Gone", ErrorCode::kConflict},
      {"422 Invalid", ErrorCode::kInvalidArgument},
      {"429 Too Many", ErrorCode::kUnavailable},
      {"500 Oops", ErrorCode::kUnavailable},
      {"503 Unavailable", ErrorCode::kUnavailable},
      {"504 Timeout", ErrorCode::kUnavailable},
  };
  for (const auto& [status, code] : meanings) {
    ServeBytes(Answer(R"({"kind":"Status","message":"pods \"x\" are tired"})", status));
    const auto answer = Get();
    ASSERT_TRUE(answer) << answer.error().message;
    const auto error = ErrorOf(*answer, "reading pods");
    EXPECT_EQ(CodeName(error.code), CodeName(code)) << status;
    EXPECT_EQ(error.message, "reading pods: pods \"x\" are tired");
  }
}

TEST_F(KubeClientTest, HandsOnRetryAfterAndTextsOfProxies) {
  ServeBytes(
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nRetry-After: 7\r\n"
      "Content-Length: 20\r\n\r\nupstream is not here");
  const auto answer = Get();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->retry_after, seconds(7));
  EXPECT_EQ(ErrorOf(*answer, "x").message, "x: upstream is not here");
}

TEST_F(KubeClientTest, BoundsWhatAServerMayAskUsToWait) {
  ServeBytes(Answer("{}", "429 Too Many Requests", "Retry-After: 31536000\r\n"));
  EXPECT_EQ(Get()->retry_after, std::chrono::minutes(10));
  ServeBytes(Answer("{}", "429 Too Many Requests", "Retry-After: tomorrow\r\n"));
  EXPECT_EQ(Get()->retry_after, std::nullopt);
}

TEST_F(KubeClientTest, GivesUpAtTheDeadline) {
  Serve([](ServedConnection& connection) { connection.StaySilent(); });
  const auto begin = clock_.Now();
  ExpectFailure(Get(milliseconds(200)), ErrorCode::kTimeout, "no answer in time");
  EXPECT_LT(clock_.Now() - begin, seconds(5));
}

TEST_F(KubeClientTest, GivesUpAtTheDeadlineWhereBytesKeepTrickling) {
  Serve([](ServedConnection& connection) {
    connection.ReadHead();
    connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (connection.Send("x")) std::this_thread::sleep_for(milliseconds(5));
  });
  ExpectFailure(Get(milliseconds(200)), ErrorCode::kTimeout, "no answer in time");
}

TEST_F(KubeClientTest, ReadsTheTokenAgainWhenItIsRefused) {
  const rig::TempDir folder;
  token_file_ = folder / "token";
  std::ofstream(token_file_) << "old\n";
  Guarded<std::vector<std::string>> heads;
  Serve([&heads](ServedConnection& connection) {
    while (const auto head = connection.ReadHead()) {
      heads.With([&](auto& all) { all.push_back(*head); });
      const bool fresh = head->find("Bearer new\r\n") != std::string::npos;
      connection.Send(fresh ? Answer("{}") : Answer("{}", "401 Unauthorized"));
    }
  });
  EXPECT_EQ(Get()->status, 401U);
  EXPECT_EQ(heads.With([](auto& all) { return all.size(); }), 1U)
      << "the same token was tried twice";
  std::ofstream(folder / "token.new") << "new\n";
  std::filesystem::rename(folder / "token.new", token_file_);
  EXPECT_EQ(Get()->status, 200U);
  EXPECT_EQ(heads.With([](auto& all) { return all.size(); }), 3U);
  EXPECT_EQ(Get()->status, 200U);
  EXPECT_EQ(heads.With([](auto& all) { return all.size(); }), 4U);
}

TEST_F(KubeClientTest, KeepsTheTokenThatItHasWhileTheNewOneIsBeingWritten) {
  const rig::TempDir folder;
  token_file_ = folder / "token";
  std::ofstream(token_file_) << "good";
  KubeClientOptions options;
  options.credentials_age = Duration::zero();  // looks before each request
  Guarded<std::string> seen;
  Serve(
      [&seen](ServedConnection& connection) {
        while (const auto head = connection.ReadHead()) {
          seen.With([&](auto& text) { text = *head; });
          connection.Send(Answer("{}"));
        }
      },
      options);
  std::ofstream(token_file_, std::ios::trunc) << "";
  EXPECT_EQ(Get()->status, 200U);
  EXPECT_THAT(seen.With([](auto& text) { return text; }), HasSubstr("Bearer good\r\n"));
  std::ofstream(token_file_, std::ios::trunc) << "better";
  EXPECT_EQ(Get()->status, 200U);
  EXPECT_THAT(seen.With([](auto& text) { return text; }), HasSubstr("Bearer better\r\n"));
}

TEST_F(KubeClientTest, ReplacesAKeptConnectionThatFailsOnlyWhereThatIsHarmless) {
  // Answers one request of each connection, and hangs up on the second.
  Serve([](ServedConnection& connection) {
    if (connection.ReadHead()) connection.Send(Answer("{}"));
    connection.ReadHead();
  });
  ASSERT_TRUE(Get());
  const auto repeated = Get();
  ASSERT_TRUE(repeated) << repeated.error().message;
  EXPECT_EQ(server_->accepted(), 2U);
  ExpectFailure(Send({.method = Method::kDelete, .path = "/api/v1/pods"}), ErrorCode::kUnavailable,
                "closed");
  EXPECT_EQ(server_->accepted(), 2U) << "a deletion was sent twice";
}

Task<void> GetInto(KubeClient& client, std::vector<Result<KubeAnswer>>& answers) {
  answers.push_back(co_await client.Send({.path = "/api/v1/pods"}));
}

TEST_F(KubeClientTest, UsesNoMoreConnectionsThanAllowed) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  KubeClientOptions options;
  options.connections = 3;
  Serve(
      [&](ServedConnection& connection) {
        while (connection.ReadHead()) {
          const int current = ++now;
          for (int seen = most; current > seen && !most.compare_exchange_weak(seen, current);) {
          }
          std::this_thread::sleep_for(milliseconds(2));  // gives the others the chance to overlap
          --now;
          connection.Send(Answer("{}"));
        }
      },
      options);
  std::vector<Result<KubeAnswer>> answers;
  TaskGroup group(loop_.get_executor());
  for (int n = 0; n < 40; ++n) group.Spawn("get", GetInto(*client_, answers));
  loop_.restart();
  loop_.run();
  ASSERT_EQ(answers.size(), 40U);
  for (const auto& answer : answers) EXPECT_TRUE(answer) << answer.error().message;
  EXPECT_LE(most, 3);
  EXPECT_LE(server_->accepted(), 3U);
}

TEST_F(KubeClientTest, WaitsForAConnectionOnlyAsLongAsTheRequestMayTake) {
  KubeClientOptions options;
  options.connections = 1;
  Serve([](ServedConnection& connection) { connection.StaySilent(); }, options);
  std::vector<Result<KubeAnswer>> answers;
  TaskGroup group(loop_.get_executor());
  group.Spawn("one", [](KubeClient& client, std::vector<Result<KubeAnswer>>& all) -> Task<void> {
    all.push_back(co_await client.Send({.path = "/a", .deadline = milliseconds(300)}));
  }(*client_, answers));
  group.Spawn("two", [](KubeClient& client, std::vector<Result<KubeAnswer>>& all) -> Task<void> {
    all.push_back(co_await client.Send({.path = "/b", .deadline = milliseconds(50)}));
  }(*client_, answers));
  loop_.restart();
  loop_.run();
  ASSERT_EQ(answers.size(), 2U);
  ExpectFailure(answers[0], ErrorCode::kTimeout, "no connection came free");
  ExpectFailure(answers[1], ErrorCode::kTimeout, "no answer in time");
}

TEST_F(KubeClientTest, DeliversAWatchLineByLineAndNoticesItsEnd) {
  const std::string lines = Added("one") + Added("two") + Added("three");
  for (std::size_t cut = 1; cut < lines.size(); cut += 7) {
    ServeOnce(kChunkedHead + Chunk(lines.substr(0, cut)) + Chunk(lines.substr(cut)) + kLastChunk);
    const auto end = Watch();
    ASSERT_TRUE(end) << end.error().message;
    EXPECT_EQ(end->status, 200U);
    EXPECT_THAT(names_, ElementsAre("one", "two", "three"));
  }
}

TEST_F(KubeClientTest, AsksForAWatchThatEndsByItself) {
  Guarded<std::string> seen;
  Serve([&seen](ServedConnection& connection) {
    const auto head = connection.ReadHead();
    seen.With([&](auto& text) { text = head.value_or(""); });
    connection.Send(std::string(kChunkedHead) + kLastChunk);
  });
  ASSERT_TRUE(Watch(seconds(321)));
  EXPECT_THAT(seen.With([](auto& text) { return text; }),
              HasSubstr("GET /api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=321 "));
}

TEST_F(KubeClientTest, DoesNotTakeACutWatchForAnEndedOne) {
  const auto half = Added("two").substr(0, 20);
  ServeOnce(kChunkedHead + Chunk(Added("one") + half) + kLastChunk);
  ExpectFailure(Watch(), ErrorCode::kUnavailable, "within a line");
  EXPECT_THAT(names_, ElementsAre("one"));
  ServeOnce(kChunkedHead + Chunk(Added("one") + half));
  ExpectFailure(Watch(), ErrorCode::kUnavailable, "closed");
  ServeOnce(kChunkedHead + Chunk(Added("one")));
  ExpectFailure(Watch(), ErrorCode::kUnavailable, "closed");
  EXPECT_THAT(names_, ElementsAre("one"));
}

TEST_F(KubeClientTest, TakesALongLineAndRefusesAHugeOne) {
  const std::string long_name(3 << 20, 'n');
  ServeOnce(kChunkedHead + Chunk(Added(long_name)) + kLastChunk);
  const auto end = Watch();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_THAT(names_, ElementsAre(long_name));
  ServeOnce(kChunkedHead + Chunk(Added(std::string(5 << 20, 'n'))) + kLastChunk);
  const auto refused = Watch();
  ExpectFailure(refused, ErrorCode::kCorrupt, "longer than 4.00 MiB");
  EXPECT_EQ(refused.error().reason, Reason::kWrongLength);
}

TEST_F(KubeClientTest, GivesUpAWatchThatOutlivesItsTime) {
  KubeClientOptions options;
  options.watch_grace = milliseconds(100);
  Serve(
      [](ServedConnection& connection) {
        connection.ReadHead();
        connection.Send(kChunkedHead + Chunk(Added("one")));
        connection.StaySilent();
      },
      options);
  ExpectFailure(Watch(seconds(1)), ErrorCode::kTimeout, "no answer in time");
  EXPECT_THAT(names_, ElementsAre("one"));
}

TEST_F(KubeClientTest, HandsOnThatAWatchWasRefused) {
  ServeOnce(Answer(R"({"kind":"Status","code":410,"message":"too old"})", "410 Gone"));
  const auto end = Watch();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->status, 410U);
  EXPECT_EQ(MessageOf(end->body), "too old");
}

TEST_F(KubeClientTest, EndsAWatchWithTheErrorOfItsReceiver) {
  ServeOnce(kChunkedHead + Chunk(Added("one") + Added("two")));
  int calls = 0;
  const auto end = rig::RunTask(
      loop_, client_->Watch({.path = "/api/v1/pods"}, [&calls](auto, const auto&) -> Status {
        ++calls;
        return Fail(ErrorCode::kConflict, "enough");
      }));
  ExpectFailure(end, ErrorCode::kConflict, "enough");
  EXPECT_EQ(calls, 1);
}

TEST_F(KubeClientTest, EndsAWatchWhenItIsStopped) {
  Serve([](ServedConnection& connection) {
    connection.ReadHead();
    connection.Send(kChunkedHead);
    connection.StaySilent();
  });
  std::optional<Result<KubeAnswer>> end;
  TaskGroup group(loop_.get_executor());
  WatchRequest request{.path = "/api/v1/pods"};
  request.on_open = [&group] { group.Stop(); };
  group.Spawn("watch", rig::KeepResult(client_->Watch(std::move(request),
                                                      [](auto, const auto&) { return Status(); }),
                                       end));
  loop_.restart();
  loop_.run();
  ASSERT_TRUE(end);
  ExpectFailure(*end, ErrorCode::kCancelled, "stopped");
}

TEST_F(KubeClientTest, SaysThatNobodyIsThere) {
  Serve([](ServedConnection&) {});
  const auto port = server_->port();
  server_.reset();
  const auto answer = Get();
  ExpectFailure(answer, ErrorCode::kUnavailable, "127.0.0.1:" + std::to_string(port));
  EXPECT_THAT(answer.error().message, HasSubstr("/api/v1/pods"));
}

}  // namespace
}  // namespace prewarm::controller::kube
