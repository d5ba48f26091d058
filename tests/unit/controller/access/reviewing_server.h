// What the tests of access share: an API server of the test's own that reviews tokens and rights.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/kube/json_access.h"
#include "tests/rig/hand_clock.h"
#include "tests/rig/run_task.h"
#include "tests/unit/controller/kube/scripted_api.h"

namespace prewarm::controller {

class ReviewingServer {
 public:
  ReviewingServer() {
    api.on_send = [this](const kube::KubeRequest& request) { return Answer(request); };
  }

  // A token is "<name>/<audience>", where "api" is the server's own audience; `users` says whose it
  // is. What is allowed stands in `allowed` as "<user> <verb> <resource or path> <namespace>".
  std::map<std::string, boost::json::object> users;
  std::vector<std::string> allowed;
  std::map<std::string, boost::json::object> pods;
  std::optional<Error> away;
  std::optional<unsigned> status;
  kube::ScriptedApi api;

  // What was asked about rights, as in `allowed`, with the name behind it.
  std::vector<std::string> asked;
  [[nodiscard]] std::size_t questions() const { return api.sent.size(); }

 private:
  Result<kube::KubeAnswer> Answer(const kube::KubeRequest& request) {
    if (away) return *away;
    if (status) return kube::KubeAnswer{.status = *status, .body = {{"message", "no"}}};
    if (request.path == "/apis/authentication.k8s.io/v1/tokenreviews") return ReviewToken(request);
    if (request.path == "/apis/authorization.k8s.io/v1/subjectaccessreviews") {
      return ReviewAccess(request);
    }
    const auto pod = pods.find(request.path);
    if (pod == pods.end()) return kube::KubeAnswer{.status = 404, .body = {}};
    return kube::KubeAnswer{.status = 200, .body = pod->second};
  }
  kube::KubeAnswer ReviewToken(const kube::KubeRequest& request) const {
    const auto& spec = request.body->at("spec").as_object();
    const std::string token(spec.at("token").as_string());
    const auto* audiences = kube::ArrayIn(spec, "audiences");
    const std::string audience =
        audiences == nullptr ? "api" : std::string(audiences->at(0).as_string());
    const auto user = users.find(token);
    boost::json::object answer{{"authenticated", false}};
    if (user != users.end() && token.ends_with("/" + audience)) {
      answer = {{"authenticated", true}, {"user", user->second}};
      answer["audiences"] = boost::json::array{audience};
    }
    return {.status = 201, .body = boost::json::object{{"status", std::move(answer)}}};
  }
  kube::KubeAnswer ReviewAccess(const kube::KubeRequest& request) {
    const auto& spec = request.body->at("spec").as_object();
    auto words = std::string(kube::TextIn(spec, "user")) + " ";
    std::string name;
    if (const auto* page = kube::ObjectIn(spec, "nonResourceAttributes")) {
      words += std::string(kube::TextIn(*page, "verb")) + " " +
               std::string(kube::TextIn(*page, "path")) + " ";
    } else {
      const auto& about = spec.at("resourceAttributes").as_object();
      EXPECT_EQ(kube::TextIn(about, "group"), "prewarm.dev");
      words += std::string(kube::TextIn(about, "verb")) + " " +
               std::string(kube::TextIn(about, "resource")) + " " +
               std::string(kube::TextIn(about, "namespace"));
      name = kube::TextIn(about, "name");
    }
    asked.push_back(name.empty() ? words : words + " " + name);
    const bool yes = std::ranges::find(allowed, words) != allowed.end();
    return {.status = 201, .body = boost::json::object{{"status", {{"allowed", yes}}}}};
  }
};

inline boost::json::object ServiceAccountUser(const std::string& ns, const std::string& name) {
  return {{"username", "system:serviceaccount:" + ns + ":" + name},
          {"uid", "uid-of-" + name},
          {"groups", {"system:serviceaccounts", "system:authenticated"}}};
}

}  // namespace prewarm::controller
