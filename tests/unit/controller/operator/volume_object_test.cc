#include "controller/operator/volume_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>

namespace prewarm::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

VolumeObject Read(const std::string& spec) {
  const auto object = boost::json::parse(
      R"({"metadata": {"name": "models", "generation": 3, "resourceVersion": "9"}, "spec": )" +
      spec + "}");
  return ReadVolumeObject(object.as_object(), "prewarm-system");
}

TEST(VolumeObject, IsAVolumeOfTheConfiguration) {
  const auto volume = Read(R"({
      "metaSecretRef": {"name": "models-volume", "key": "metaurl"}, "storage": "s3",
      "bucket": "https://b.example.com", "subdir": "/serving/", "cacheDirs": ["/var/jfsCache"],
      "credentials": "handed-over", "rsaPassphraseSecretRef": {"name": "k", "namespace": "team"},
      "storageClassNames": ["juicefs-sc"], "volumeHandles": ["pv"], "modelsDirectory": "m",
      "csiSecretRefs": [{"name": "juicefs-secret", "namespace": "kube-system"}],
      "allowedNamespaces": ["yatai"],
      "tenants": [{"namespace": "yatai", "storageNamespaces": ["org-1", "org-2"]}]})");
  EXPECT_EQ(volume.problem, "");
  EXPECT_EQ(volume.generation, 3);
  EXPECT_EQ(volume.meta_secret, (SecretKeyRef{{"prewarm-system", "models-volume"}, "metaurl"}));
  EXPECT_EQ(volume.passphrase_secret, (SecretKeyRef{{"team", "k"}, "passphrase"}));
  EXPECT_EQ(volume.config.storage, "s3");
  EXPECT_EQ(volume.config.subdir, "serving");
  EXPECT_EQ(volume.config.credentials, "handed-over");
  EXPECT_EQ(volume.config.models_directory, "m");
  EXPECT_THAT(volume.config.cache_dirs, ElementsAre("/var/jfsCache"));
  EXPECT_THAT(volume.config.namespaces, ElementsAre("yatai"));
  EXPECT_THAT(volume.config.storage_classes, ElementsAre("juicefs-sc"));
  EXPECT_THAT(volume.config.csi_secrets, ElementsAre(Pair("kube-system", "juicefs-secret")));
  EXPECT_THAT(volume.config.tenants, ElementsAre(Pair("yatai", ElementsAre("org-1", "org-2"))));
}

TEST(VolumeObject, ThatIsWrongSaysWhichFieldAndNoSecret) {
  const std::string long_text(1 << 20, 'x');
  const std::pair<std::string, std::string> wrong[] = {
      {R"({})", "spec.meta"},
      {R"({"meta": "redis://a/1", "metaSecretRef": {"name": "s"}})", "spec.meta"},
      {R"({"meta": "redis://:hunter2@a/1"})", "holds a password"},
      {R"({"meta": "redis://a/1", "subdir": "a/../b"})", "spec.subdir"},
      {R"({"meta": "redis://a/1", "modelsDirectory": ".."})", "spec.modelsDirectory"},
      {R"({"meta": "redis://a/1", "cacheDirs": ["/a/../b"]})", "spec.cacheDirs"},
      {R"({"meta": "redis://a/1", "cacheDirs": ["a"]})", "spec.cacheDirs"},
      {R"({"meta": "redis://a/1", "credentials": "x"})", "spec.credentials"},
      {R"({"meta": "redis://a/1", "rsaPassphraseSecretRef": {"name": "s"}})", "handed-over"},
      {R"({"metaSecretRef": {}})", "spec.metaSecretRef"},
      {R"({"meta": "redis://a/1", "tenants": [{}]})", "spec.tenants"},
      {R"({"meta": "redis://a/1", "bucket": ")" + long_text + R"("})", "spec.bucket"},
      {R"({"meta": "redis://a/1", "volumeHandles": [")" + long_text + R"("]})", "volumeHandles"},
  };
  for (const auto& [spec, field] : wrong) {
    const auto volume = Read(spec);
    EXPECT_THAT(volume.problem, HasSubstr(field)) << spec.substr(0, 200);
    EXPECT_THAT(volume.problem, Not(HasSubstr("hunter2")));
    EXPECT_LT(volume.problem.size(), 300);
  }
}

TEST(VolumeObject, IsReadFromAnythingWhatever) {
  for (const auto* text : {R"({})", R"({"metadata": 1, "spec": [], "status": "x"})",
                           R"({"spec": {"meta": 4, "tenants": {}, "cacheDirs": [1, {}]}})",
                           R"({"status": {"uuid": 1, "conditions": [[]], "blockSize": -5}})"}) {
    EXPECT_THAT(ReadVolumeObject(boost::json::parse(text).as_object(), "x").problem,
                Not(IsEmpty()));
  }
}

TEST(VolumeStatus, ComesBackAsItWasWritten) {
  VolumeStatus status;
  status.observed_generation = 2;
  status.uuid = "8b0d3a1e-0000-4000-8000-0123456789ab";
  status.format_name = "models";
  status.block_size = 4 << 20;
  status.conditions = {kube::MakeCondition("Ready", true, "MetadataRead", "volume models")};
  kube::Follow({}, status.conditions, 2, WallTime(std::chrono::hours(12)));
  boost::json::object object{{"metadata", {{"name", "models"}}},
                             {"spec", {{"meta", "redis://a/1"}}},
                             {"status", VolumeStatusObject(status)}};
  EXPECT_TRUE(ReadVolumeObject(object, "x").status.Says(status));
}

}  // namespace
}  // namespace prewarm::controller
