#include "controller/kube/kube_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/rig/environment.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::controller::kube {
namespace {

using rig::With;
using testing::AllOf;
using testing::HasSubstr;

constexpr auto kFile = "/etc/me/.kube/config";

// A file with one context, and its parts as a test wants them.
std::string File(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: dev\n"
         "contexts:\n- name: dev\n  context: {cluster: c, user: u, namespace: team}\n"
         "clusters:\n- name: c\n  cluster: " +
         cluster + "\nusers:\n- name: u\n  user: " + user + "\n";
}

Result<KubeConfig> Parse(const std::string& cluster, const std::string& user = "{}") {
  return ParseKubeconfig(File(cluster, user), kFile, "");
}

void ExpectProblem(const Result<KubeConfig>& config, const std::string& where,
                   const std::string& what) {
  ASSERT_FALSE(config) << where;
  EXPECT_EQ(config.error().code, ErrorCode::kInvalidConfig);
  EXPECT_THAT(config.error().message, AllOf(HasSubstr(where), HasSubstr(what)));
}

TEST(Kubeconfig, IsReadWithItsFilesAndTexts) {
  const auto config = Parse(
      "{server: 'https://k8s.example.com:6443/k8s/clusters/c-1/', tls-server-name: inside, "
      "certificate-authority: ca.crt}",
      "{client-certificate: /etc/me.crt, client-key-data: LS0tLS1CRUdJTiBLRVktLS0tLQo=, "
      "tokenFile: token}");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->host, "k8s.example.com");
  EXPECT_EQ(config->port, 6443);
  EXPECT_EQ(config->path_prefix, "/k8s/clusters/c-1");
  EXPECT_EQ(config->tls_server_name, "inside");
  EXPECT_EQ(config->ca_file, "/etc/me/.kube/ca.crt") << "relative to the file";
  EXPECT_EQ(config->certificate_file, "/etc/me.crt");
  EXPECT_EQ(config->key_pem.Reveal(), "-----BEGIN KEY-----\n");
  EXPECT_EQ(config->token_file, "/etc/me/.kube/token");
  EXPECT_EQ(config->ns, "team");
  EXPECT_EQ(config->origin, "/etc/me/.kube/config, context dev");
  EXPECT_TRUE(config->tls);
  EXPECT_TRUE(config->verify);
}

TEST(Kubeconfig, PrefersTextsToFiles) {
  const auto config = Parse(
      "{server: 'https://h', certificate-authority: a, "
      "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==}",
      "{token: sesame}");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->ca_file, "");
  EXPECT_EQ(config->ca_pem, "-----BEGIN CERTIFICATE-----\n");
  EXPECT_EQ(config->token.Reveal(), "sesame");
  EXPECT_EQ(config->port, 443);
}

TEST(Kubeconfig, TakesAddressesOfEveryKind) {
  EXPECT_EQ(Parse("{server: 'https://[fd00::1]:6443'}")->host, "fd00::1");
  EXPECT_EQ(Parse("{server: 'https://10.0.0.1'}")->host, "10.0.0.1");
  const auto plain = Parse("{server: 'http://localhost'}");
  EXPECT_FALSE(plain->tls);
  EXPECT_EQ(plain->port, 80);
  EXPECT_FALSE(Parse("{server: 'https://h', insecure-skip-tls-verify: true}")->verify);
}

TEST(Kubeconfig, TakesTheContextThatIsNamed) {
  const std::string text =
      "current-context: a\n"
      "contexts: [{name: a, context: {cluster: c}}, {name: b, context: {cluster: d}}]\n"
      "clusters: [{name: c, cluster: {server: 'https://c'}}, {name: d, cluster: {server: "
      "'https://d'}}]\n";
  EXPECT_EQ(ParseKubeconfig(text, kFile, "")->host, "c");
  EXPECT_EQ(ParseKubeconfig(text, kFile, "b")->host, "d");
  EXPECT_EQ(ParseKubeconfig(text, kFile, "b")->ns, "default");
  ExpectProblem(ParseKubeconfig(text, kFile, "z"), "contexts", "has no \"z\"; there is a, b");
}

TEST(Kubeconfig, NamesFileKeyAndRemedyOfEveryProblem) {
  const std::vector<std::tuple<std::string, std::string, std::string, std::string>> problems = {
      {"{}", "{}", "clusters[c].cluster.server", "is missing"},
      {"[]", "{}", "clusters[c].cluster", "must be a map"},
      {"{server: k8s.example.com}", "{}", "server", "give https://HOST:PORT"},
      {"{server: 'ftp://h'}", "{}", "server", "give https://HOST:PORT"},
      {"{server: 'https://me:pw@h'}", "{}", "server", "give https://HOST:PORT"},
      {"{server: 'https://h?x=1'}", "{}", "server", "give https://HOST:PORT"},
      {"{server: 'https://h:99999'}", "{}", "server", "give https://HOST:PORT"},
      {"{server: 'https://h:0'}", "{}", "server", "give https://HOST:PORT"},
      {"{server: 'https://'}", "{}", "server", "give https://HOST:PORT"},
      {"{server: [1]}", "{}", "server", "must be a text"},
      {"{server: 'https://h', proxy-url: 'http://p'}", "{}", "proxy-url", "not supported"},
      {"{server: 'https://h', insecure-skip-tls-verify: maybe}", "{}", "insecure-skip-tls-verify",
       "must be true or false"},
      {"{server: 'https://h', insecure-skip-tls-verify: true, certificate-authority: x}", "{}",
       "insecure-skip-tls-verify", "contradicts"},
      {"{server: 'https://h', certificate-authority-data: '%%%'}", "{}",
       "certificate-authority-data", "is not base64"},
      {"{server: 'https://h', certificate-authority-data: 'aGVsbG8='}", "{}",
       "certificate-authority-data", "not of a PEM text"},
      {"{server: 'https://h'}", "{exec: {command: aws}}", "users[u].user.exec",
       "credential plugins are not supported; use a client certificate, a token or a tokenFile"},
      {"{server: 'https://h'}", "{auth-provider: {name: gcp}}", "auth-provider", "not supported"},
      {"{server: 'https://h'}", "{username: a, password: b}", "username", "not supported"},
      {"{server: 'https://h'}", "{token: a, as: root}", "users[u].user.as", "not supported"},
      {"{server: 'https://h'}", "{client-certificate: a}", "client-key", "is missing"},
      {"{server: 'https://h'}", "{client-key: a}", "client-certificate", "is missing"},
      {"{server: 'https://h'}", "{token: \"a\\r\\nX: y\"}", "users[u].user.token",
       "holds more than a token"},
      {"{server: 'http://h'}", "{token: a}", "server", "readable on the way"},
  };
  for (const auto& [cluster, user, where, what] : problems) {
    SCOPED_TRACE(cluster + " " + user);
    const auto config = Parse(cluster, user);
    ExpectProblem(config, where, what);
    if (!config) EXPECT_THAT(config.error().message, HasSubstr(kFile));
  }
}

TEST(Kubeconfig, RefusesWhatIsNoKubeconfig) {
  const auto parse = [](const std::string& text) { return ParseKubeconfig(text, kFile, ""); };
  ExpectProblem(parse("a: [b"), std::string(kFile) + ":", "is not YAML");
  ExpectProblem(parse("- a\n"), kFile, "must be a map");
  ExpectProblem(parse(""), kFile, "must be a map");
  ExpectProblem(parse("{}"), "current-context", "is missing; set it");
  ExpectProblem(parse("current-context: a\n"), "contexts", "must be a list");
  ExpectProblem(parse("current-context: a\ncontexts: [{name: a, context: {}}]\n"), "cluster",
                "is missing");
  ExpectProblem(parse("current-context: a\ncontexts: [1, {}, {name: a}]\n"), "contexts[a].context",
                "must be a map");
  ExpectProblem(parse("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"
                      "clusters: [{name: d}]\n"),
                "clusters", "has no \"c\"; there is d");
  ExpectProblem(parse(std::string(100'000, '[')), kFile, "is not YAML");
}

TEST(Kubeconfig, DoesNotShowItsSecrets) {
  const auto config = Parse("{server: 'https://h'}", "{token: sesame}");
  std::ostringstream text;
  text << config->token << config->key_pem;
  EXPECT_EQ(text.str(), "******");
}

TEST(Kubeconfig, SaysThatTheFileIsNotThere) {
  ExpectProblem(LoadKubeconfig("/nowhere/config", ""), "/nowhere/config", "No such file");
}

class InCluster : public testing::Test {
 protected:
  InCluster() {
    Write("ca.crt", "-----BEGIN CERTIFICATE-----\n");
    Write("token", "sesame\n");
    Write("namespace", "team\n");
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  Result<KubeConfig> Read(rig::Variables variables = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
                                                      {"KUBERNETES_SERVICE_PORT", "443"}}) {
    return InClusterConfig(With(std::move(variables)), folder_.path().string());
  }
  rig::TempDir folder_;
};

TEST_F(InCluster, IsWhatTheKubeletGives) {
  const auto config = Read();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->host, "10.0.0.1");
  EXPECT_EQ(config->port, 443);
  EXPECT_EQ(config->token_file, folder_ / "token");
  EXPECT_EQ(config->ca_file, folder_ / "ca.crt");
  EXPECT_EQ(config->ns, "team");
  EXPECT_TRUE(config->tls && config->verify);
}

TEST_F(InCluster, TakesIpv6WithAndWithoutBrackets) {
  for (const auto* host : {"fd00::1", "[fd00::1]"}) {
    const auto config =
        Read({{"KUBERNETES_SERVICE_HOST", host}, {"KUBERNETES_SERVICE_PORT", "6443"}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->host, "fd00::1");
  }
}

TEST_F(InCluster, TellsNoPodFromABrokenOne) {
  const auto outside = Read({});
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(outside.error().message, HasSubstr("kubeconfig"));
  ExpectProblem(Read({{"KUBERNETES_SERVICE_PORT", "443"}}), "KUBERNETES_SERVICE_HOST", "not set");
  for (const auto* port : {"", "0", "65536", "https", "443 "}) {
    ExpectProblem(Read({{"KUBERNETES_SERVICE_HOST", "h"}, {"KUBERNETES_SERVICE_PORT", port}}),
                  "KUBERNETES_SERVICE_PORT", "is not a port");
  }
}

TEST_F(InCluster, SaysWhatIsMissingOfTheServiceAccount) {
  std::filesystem::remove(folder_ / "namespace");
  EXPECT_EQ(Read()->ns, "default");
  Write("token", "two tokens");
  ExpectProblem(Read(), "token", "holds more than a token");
  Write("token", "\n");
  ExpectProblem(Read(), "token", "is empty");
  std::filesystem::remove(folder_ / "token");
  ExpectProblem(Read(), folder_ / "token", "automountServiceAccountToken");
  std::filesystem::remove(folder_ / "ca.crt");
  ExpectProblem(Read(), folder_ / "ca.crt", "automountServiceAccountToken");
}

TEST_F(InCluster, RefusesAFileThatIsNoToken) {
  Write("token", std::string(5 << 20, 'x'));
  ExpectProblem(Read(), "token", "larger than");
}

}  // namespace
}  // namespace prewarm::controller::kube
