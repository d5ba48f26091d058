// What the tests of the REST API share: a PrewarmService of the test's own, tokens for several
// callers, and a reply that keeps what it is told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/deadline.h"
#include "common/async/task_group.h"
#include "common/base/rfc3339.h"
#include "common/net/http_target.h"
#include "controller/api/rest_api.h"
#include "controller/api/token_table.h"

namespace prewarm::controller::rest_test {

// Prewarms in memory, as the contract of PrewarmService has them.
class FakeService final : public PrewarmService {
 public:
  PrewarmView& Add(const std::string& id, const std::string& name_space) {
    PrewarmView view;
    view.prewarm.id = id;
    view.prewarm.name_space = name_space;
    view.prewarm.spec.volume = "models";
    view.prewarm.created_at = *ParseRfc3339("2026-11-25T12:00:00Z");
    return prewarms_[id] = std::move(view);
  }
  // Ends the waits of Watch.
  void Change(const std::string& id, PrewarmState state) {
    prewarms_.at(id).prewarm.state = state;
    ++version_;
  }
  // What every call answers from now on.
  void FailWith(Problem problem) { failure_ = std::move(problem); }

  Task<ApiResult<CreateAnswer>> Create(Caller caller, CreateRequest request) override {
    created_.push_back(request);
    if (failure_) co_return Refuse(*failure_);
    for (const auto& [id, view] : prewarms_) {
      const bool same = !request.idempotency_key.empty() &&
                        view.prewarm.idempotency_key == request.idempotency_key &&
                        view.prewarm.name_space == caller.name_space;
      if (same) co_return CreateAnswer{view, false};
    }
    auto& view = Add("pw-" + std::to_string(prewarms_.size()), caller.name_space);
    view.prewarm.spec = request.spec;
    view.prewarm.idempotency_key = request.idempotency_key;
    co_return CreateAnswer{view, true};
  }
  Task<ApiResult<PlanView>> Plan(Caller, CreateRequest request) override {
    created_.push_back(std::move(request));
    if (failure_) co_return Refuse(*failure_);
    co_return plan_;
  }
  Task<ApiResult<PrewarmView>> Get(Caller caller, std::string id) override {
    if (failure_) co_return Refuse(*failure_);
    const auto found = prewarms_.find(id);
    if (found == prewarms_.end() || found->second.prewarm.name_space != caller.name_space) {
      co_return Refuse({ProblemKind::kNotFound, "no-such-prewarm", "there is no prewarm " + id});
    }
    co_return found->second;
  }
  ApiResult<Page<PrewarmView>> List(const Caller& caller, const PrewarmFilter& filter,
                                    const PageRequest& page) override {
    if (failure_) return Refuse(*failure_);
    filters_.push_back(filter);
    pages_.push_back(page);
    Page<PrewarmView> answer;
    for (const auto& [id, view] : prewarms_) {
      if (view.prewarm.name_space == caller.name_space) answer.items.push_back(view);
    }
    answer.next_page_token = next_page_token_;
    return answer;
  }
  Task<ApiResult<PrewarmView>> Cancel(Caller caller, std::string id) override {
    auto view = co_await Get(caller, id);
    if (!view) co_return view;
    Change(id, PrewarmState::kCancelled);
    co_return prewarms_.at(id);
  }
  Task<ApiResult<PrewarmService::Change>> Watch(Caller caller, std::string id, std::uint64_t seen,
                                                Duration limit) override {
    const SystemClock clock;
    const auto end = clock.Now() + std::min(limit, longest_wait_);
    while (seen == version_ && clock.Now() < end && !failure_) {
      if (!co_await SleepFor(std::chrono::milliseconds(1))) break;
    }
    auto view = co_await Get(caller, id);
    if (!view) co_return Refuse(view.error());
    co_return PrewarmService::Change{*std::move(view), version_};
  }
  ApiResult<Page<NodeView>> Nodes(const Caller&, const PageRequest& page) override {
    pages_.push_back(page);
    if (failure_) return Refuse(*failure_);
    return Page<NodeView>{{node_}, next_page_token_};
  }
  ApiResult<NodeView> NodeNamed(const Caller&, const std::string& name) override {
    if (name == node_.node.name) return node_;
    return Refuse({ProblemKind::kNotFound, "no-such-node", "there is no node " + name});
  }
  ApiResult<Page<VolumeView>> Volumes(const Caller& caller, const PageRequest& page) override {
    pages_.push_back(page);
    Page<VolumeView> answer;
    if (caller.name_space == "team-a") answer.items.push_back(volume_);
    return answer;
  }
  ApiResult<VolumeView> VolumeNamed(const Caller& caller, const std::string& name) override {
    if (name == volume_.name && caller.name_space == "team-a") return volume_;
    return Refuse({ProblemKind::kNotFound, "no-such-volume", "there is no volume " + name});
  }
  Task<ApiResult<FilesView>> Files(Caller caller, std::string volume, std::string path,
                                   PageRequest page) override {
    paths_.push_back(path);
    pages_.push_back(page);
    if (auto known = VolumeNamed(caller, volume); !known) co_return Refuse(known.error());
    co_return files_;
  }

  std::map<std::string, PrewarmView> prewarms_;
  std::uint64_t version_ = 1;
  Duration longest_wait_ = std::chrono::hours(1);
  std::optional<Problem> failure_;
  std::string next_page_token_;
  PlanView plan_;
  NodeView node_ = [] {
    NodeView view;
    view.node.name = "node-1";
    return view;
  }();
  VolumeView volume_ = [] {
    VolumeView view;
    view.name = "models";
    return view;
  }();
  FilesView files_;
  // What was asked.
  std::vector<CreateRequest> created_;
  std::vector<PrewarmFilter> filters_;
  std::vector<PageRequest> pages_;
  std::vector<std::string> paths_;
};

class FakeClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override { return SteadyTime(); }
  [[nodiscard]] WallTime WallNow() const override { return wall_; }
  WallTime wall_ = *ParseRfc3339("2026-11-25T12:00:00Z");
};

constexpr auto kTestTokens =
    "team-a-token,ci,team-a,get+create+cancel+metrics\n"
    "team-b-token,ci,team-b,get+create+cancel+metrics\n"
    "expired-token,ci,team-a,get+create+cancel+metrics,2026-11-01T00:00:00Z\n"
    "only-get-token,ci,team-a,get\n"
    "only-create-token,ci,team-a,create\n"
    "only-cancel-token,ci,team-a,cancel\n"
    "only-metrics-token,ci,team-a,metrics\n";

// The file's tokens without the file.
class TestAuthenticator final : public Authenticator {
 public:
  explicit TestAuthenticator(const Clock& clock) : clock_(clock) {}
  [[nodiscard]] std::optional<ApiResult<Caller>> Check(
      const AccessRequest& request) const override {
    if (request.authorization == "Bearer asked-token") return std::nullopt;
    return table_.Check(request, clock_.WallNow());
  }
  Task<ApiResult<Caller>> Ask(AccessRequest request) override {
    asked_.push_back(std::move(request));
    co_return judge_;
  }

  ApiResult<Caller> judge_ = Caller{"asked", "team-a"};
  std::vector<AccessRequest> asked_;

 private:
  const Clock& clock_;
  const TokenTable table_ = *TokenTable::Parse(kTestTokens, "tokens");
};

class KeptReply final : public net::HttpReply {
 public:
  Task<void> Send(net::HttpResponse response) override {
    EXPECT_FALSE(answer_) << "a second answer";
    answer_ = std::move(response);
    co_return;
  }
  Task<void> SendStream(net::HttpResponse head, Task<void> producer) override {
    EXPECT_FALSE(answer_) << "a second answer";
    answer_ = std::move(head);
    co_await std::move(producer);
  }
  Task<Status> Write(std::string_view piece) override {
    pieces_.emplace_back(piece);
    if (on_piece_) on_piece_(pieces_.size());
    co_return Status();
  }

  std::optional<net::HttpResponse> answer_;
  std::vector<std::string> pieces_;
  std::function<void(std::size_t)> on_piece_;  // gets their number
};

class RestApiTest : public testing::Test {
 protected:
  static net::HttpServerRequest Request(const std::string& method, const std::string& target,
                                        const std::string& body = "",
                                        const std::string& token = "team-a-token") {
    net::HttpServerRequest request;
    request.method = method;
    request.target = *net::ParseHttpTarget(target);
    request.body = body;
    if (!token.empty()) request.headers.emplace_back("authorization", "Bearer " + token);
    if (method == "POST") request.headers.emplace_back("content-type", "application/json");
    return request;
  }
  void Serve(const net::HttpServerRequest& request, KeptReply& reply) {
    TaskGroup group(loop_.get_executor());
    group.Spawn("request", api_.Handler()(request, reply));
    loop_.restart();
    loop_.run();
  }
  net::HttpResponse Answer(const net::HttpServerRequest& request) {
    KeptReply reply;
    Serve(request, reply);
    EXPECT_TRUE(reply.answer_) << request.method << " " << request.target.path;
    return reply.answer_.value_or(net::HttpResponse{0, {}, ""});
  }
  net::HttpResponse Ask(const std::string& method, const std::string& target,
                        const std::string& body = "", const std::string& token = "team-a-token") {
    return Answer(Request(method, target, body, token));
  }
  static std::string Header(const net::HttpResponse& answer, const std::string& name) {
    for (const auto& [key, value] : answer.headers) {
      if (key == name) return value;
    }
    return "";
  }
  static boost::json::object Document(const net::HttpResponse& answer) {
    boost::system::error_code error;
    auto value = boost::json::parse(answer.body, error);
    EXPECT_TRUE(!error && value.is_object()) << answer.body;
    return value.is_object() ? value.as_object() : boost::json::object();
  }
  // "spec.volume spec.paths[1]": the fields of a problem document.
  static std::string Fields(const net::HttpResponse& answer) {
    std::string fields;
    const auto document = Document(answer);
    for (const auto& error : document.at("errors").as_array()) {
      fields += (fields.empty() ? "" : " ") + std::string(error.at("field").as_string());
    }
    return fields;
  }

  boost::asio::io_context loop_;
  FakeService service_;
  FakeClock clock_;
  TestAuthenticator authenticator_{clock_};
  Metrics metrics_;
  AdminPages pages_{
      {metrics_, [] { return Readiness{true, ""}; }, [] { return std::string("key: value\n"); }}};
  RestApi api_{{service_, authenticator_, pages_, clock_, &metrics_}};
};

}  // namespace prewarm::controller::rest_test
