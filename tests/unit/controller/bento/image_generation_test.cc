#include "controller/bento/image_generation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prewarm::controller::bento {
namespace {

using testing::HasSubstr;

constexpr const char* kSeparate = "yatai.ai/yatai-image-builder-separate-models";
constexpr const char* kInS3 = "yatai.ai/image-stored-in-s3";

Bento ABento(std::string image) {
  Bento bento;
  bento.tag = "chat:v1";
  bento.image = std::move(image);
  return bento;
}

Generation OfTag(const std::string& tag) {
  const auto bento = ABento("registry:5000/yatai-bentos:" + tag);
  return DetectGeneration(&bento, nullptr).generation;
}

TEST(ImageTag, IsWhatStandsBehindTheName) {
  EXPECT_EQ(ImageTag("repo/name:tag"), "tag");
  EXPECT_EQ(ImageTag("host:5000/name"), "");
  EXPECT_EQ(ImageTag("host:5000/name:tag@sha256:ab"), "tag");
  EXPECT_EQ(ImageTag("name@sha256:ab"), "");
  EXPECT_EQ(ImageTag(""), "");
}

TEST(Generation, IsReadFromTheImageTag) {
  EXPECT_EQ(OfTag("yatai.chat.v1"), Generation::kG0);
  EXPECT_EQ(OfTag("yatai.org-42.chat.v1.nomodels"), Generation::kG1);
  EXPECT_EQ(OfTag("yatai.chat.v1.nomodels.esgz"), Generation::kG1);
  EXPECT_EQ(OfTag("yatai.chat.v1.esgz"), Generation::kG0);
  EXPECT_EQ(OfTag("yatai.chat.v1.s3"), Generation::kG2);
  EXPECT_EQ(OfTag("yatai.chat.v1.nomodels.esgz.s3"), Generation::kG2);
  EXPECT_EQ(OfTag("yatai.chat.nomodels.v1"), Generation::kG0) << "a suffix, not a part";
}

TEST(Generation, IsG1IfEitherObjectSaysSoBecauseABentoCanBeStale) {
  auto bento = ABento("r/b:yatai.chat.v1");
  BentoRequest request;
  request.annotations[kSeparate] = "true";
  EXPECT_EQ(DetectGeneration(&bento, &request).generation, Generation::kG1);
  EXPECT_THAT(DetectGeneration(&bento, &request).why, HasSubstr("the BentoRequest"));
  bento.annotations[kSeparate] = "true";
  request.annotations[kSeparate] = "false";
  EXPECT_EQ(DetectGeneration(&bento, &request).generation, Generation::kG1);
  EXPECT_THAT(DetectGeneration(&bento, &request).why, HasSubstr("the Bento "));
  EXPECT_EQ(DetectGeneration(nullptr, &request).generation, Generation::kG0);
  EXPECT_EQ(DetectGeneration(&bento, nullptr).generation, Generation::kG1);
}

TEST(Generation, IsG2BeforeAllElse) {
  auto bento = ABento("r/b:yatai.chat.v1.nomodels");
  bento.annotations[kSeparate] = "true";
  BentoRequest request;
  request.annotations[kInS3] = "true";
  EXPECT_EQ(DetectGeneration(&bento, &request).generation, Generation::kG2);
}

TEST(Generation, OfAnAnnotationThatIsNotTrueIsG0) {
  BentoRequest request;
  for (const auto* value : {"false", "True", "1", ""}) {
    request.annotations[kSeparate] = value;
    EXPECT_EQ(DetectGeneration(nullptr, &request).generation, Generation::kG0) << value;
  }
}

TEST(Generation, CannotBeToldFromAnImageThatSomebodyNamed) {
  BentoRequest request;
  request.image = "example.com/own/image:v3";
  EXPECT_EQ(DetectGeneration(nullptr, &request).generation, Generation::kUnknown);
  EXPECT_THAT(DetectGeneration(nullptr, &request).why, HasSubstr("own/image:v3"));
  request.image = "example.com/own/image:yatai.chat.v1.nomodels";
  EXPECT_EQ(DetectGeneration(nullptr, &request).generation, Generation::kG1);
  request.image = "example.com/own/image:v3";
  request.annotations[kSeparate] = "false";
  EXPECT_EQ(DetectGeneration(nullptr, &request).generation, Generation::kG0) << "it is annotated";
}

TEST(Generation, CannotBeToldFromAShortenedTagUnlessAnAnnotationSays) {
  const std::string hash = "0123456789abcdef0123456789abcdef";
  EXPECT_EQ(OfTag("yatai." + hash), Generation::kUnknown);
  EXPECT_EQ(OfTag("yatai.org-42." + hash), Generation::kUnknown);
  auto bento = ABento("r/b:yatai." + hash);
  bento.annotations[kSeparate] = "true";
  EXPECT_EQ(DetectGeneration(&bento, nullptr).generation, Generation::kG1);
  auto plain = ABento("r/b:yatai.chat." + hash);
  plain.tag = "chat:" + hash;
  EXPECT_EQ(DetectGeneration(&plain, nullptr).generation, Generation::kG0)
      << "a version that only looks like one";
}

TEST(Generation, OfNothingIsNone) {
  EXPECT_EQ(DetectGeneration(nullptr, nullptr).generation, Generation::kNone);
}

}  // namespace
}  // namespace prewarm::controller::bento
