#include "controller/bento/image_generation.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "controller/bento/model_names.h"

namespace prewarm::controller::bento {
namespace {

constexpr const char* kSeparateModels = "yatai.ai/yatai-image-builder-separate-models";
constexpr const char* kStoredInS3 = "yatai.ai/image-stored-in-s3";

// What an annotation says on either object; nothing if it is on neither.
struct Said {
  bool yes = false;
  std::string by;  // "the BentoRequest"
};

std::optional<Said> AnnotationOf(const TextMap* annotations, const char* key, const char* by) {
  if (annotations == nullptr) return std::nullopt;
  const auto found = annotations->find(key);
  if (found == annotations->end()) return std::nullopt;
  return Said{.yes = found->second == "true", .by = by};
}

std::optional<Said> OnEither(const Bento* bento, const BentoRequest* request, const char* key) {
  auto on_request =
      AnnotationOf(request == nullptr ? nullptr : &request->annotations, key, "the BentoRequest");
  if (on_request && on_request->yes) return on_request;
  auto on_bento = AnnotationOf(bento == nullptr ? nullptr : &bento->annotations, key, "the Bento");
  return on_bento && on_bento->yes ? on_bento : on_request ? on_request : on_bento;
}

bool IsHash(std::string_view text) {
  return text.size() == 32 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// A tag of more than 128 characters ends in an md5 instead of <repo>.<version> and the suffixes, so
// that it says nothing. A version can look like that too: then the name before it gives it away.
bool IsShortened(std::string_view image_tag, std::string_view bento_tag) {
  const auto dot = image_tag.rfind('.');
  if (!image_tag.starts_with("yatai.") || !IsHash(image_tag.substr(dot + 1))) return false;
  std::string full(bento_tag);
  std::ranges::replace(full, ':', '.');
  return full.empty() || !image_tag.ends_with("." + full);
}

GenerationVerdict Verdict(Generation generation, std::string why) {
  return {.generation = generation, .why = std::move(why)};
}

std::optional<GenerationVerdict> FromImageTag(std::string_view tag) {
  const auto words = "the tag of its image is " + Quoted(tag);
  if (tag.ends_with(".s3")) return Verdict(Generation::kG2, words);
  if (tag.ends_with(".nomodels") || tag.ends_with(".nomodels.esgz")) {
    return Verdict(Generation::kG1, words);
  }
  return std::nullopt;
}

}  // namespace

std::string_view GenerationName(Generation generation) {
  switch (generation) {
    case Generation::kNone: return "";
    case Generation::kG0: return "G0";
    case Generation::kG1: return "G1";
    case Generation::kG2: return "G2";
    case Generation::kUnknown: break;
  }
  return "Unknown";
}

std::string_view ImageTag(std::string_view reference) {
  reference = reference.substr(0, reference.find('@'));
  const auto slash = reference.rfind('/');
  const auto name = slash == std::string_view::npos ? reference : reference.substr(slash + 1);
  const auto colon = name.find(':');
  return colon == std::string_view::npos ? std::string_view() : name.substr(colon + 1);
}

GenerationVerdict DetectGeneration(const Bento* bento, const BentoRequest* request) {
  if (bento == nullptr && request == nullptr) return {};
  const auto annotated = [](const char* key, const Said& said) {
    return "the annotation " + std::string(key) + " of " + said.by + " says so";
  };
  const auto in_s3 = OnEither(bento, request, kStoredInS3);
  if (in_s3 && in_s3->yes) return Verdict(Generation::kG2, annotated(kStoredInS3, *in_s3));
  const auto separate = OnEither(bento, request, kSeparateModels);
  if (separate && separate->yes) {
    return Verdict(Generation::kG1, annotated(kSeparateModels, *separate));
  }
  const bool own_image = request != nullptr && !request->image.empty();
  const bool has_image = bento != nullptr && !bento->image.empty();
  const std::string image = has_image ? bento->image : own_image ? request->image : "";
  const auto image_tag = ImageTag(image);
  if (auto verdict = FromImageTag(image_tag)) return *verdict;
  if (separate) return Verdict(Generation::kG0, annotated(kSeparateModels, *separate));
  if (own_image) {
    return Verdict(Generation::kUnknown, "the BentoRequest names the image " +
                                             Quoted(request->image) +
                                             " itself and no annotation says where its models are");
  }
  if (IsShortened(image_tag, bento != nullptr ? bento->tag : request->tag)) {
    return Verdict(Generation::kUnknown,
                   "the tag of its image, " + Quoted(image_tag) +
                       ", was shortened and no annotation says where its models are");
  }
  return Verdict(Generation::kG0, "nothing says that its models are outside of its image");
}

}  // namespace prewarm::controller::bento
