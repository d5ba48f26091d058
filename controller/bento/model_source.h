// Where a model may lie, as far as objects say: what has to be looked up on the volume before it
// can be warmed. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/bento/hub_url.h"
#include "controller/bento/objects.h"

namespace prewarm::controller::bento {

enum class Layout : std::uint8_t {
  kTree,  // a file, or a directory with everything below it; nothing marks it as whole
  kItem,  // an item of BentoML's model store; ".exists" marks it as whole
  kHub,   // a Hugging Face cache; "<version>.exists" marks it as whole
};

// One directory in which the model may be. Paths are of the volume, relative to its `subdir`.
struct Candidate {
  Layout layout = Layout::kTree;
  std::string path;
  // kHub:
  std::string version;                    // of the marker; empty: any
  std::string folder;                     // models--org--name; found in any case of letters
  std::optional<HubSelection> selection;  // nothing: only the tag is known; every snapshot counts
  bool operator==(const Candidate&) const = default;
};

enum class Origin : std::uint8_t { kPodVolume, kBento, kAnnotation };
std::string_view OriginName(Origin origin);  // "pod volume", "Bento", "annotation"

struct ModelSource {
  std::string tag;  // of the model; else the claim or the annotation's text
  Origin origin = Origin::kBento;
  std::string volume;                 // a KnownVolume
  std::vector<Candidate> candidates;  // the first that is whole counts, else the first that exists
  std::optional<std::uint64_t> declared_bytes;
  // What the BentoRequest says, where it can be believed: true, all its models are seeded.
  bool declared_seeded = false;
  bool operator==(const ModelSource&) const = default;

  // Equal for sources that look at the same places of the same volume: an answer for one is one
  // for all.
  [[nodiscard]] std::string Key() const;
};

// Why nothing can be done for a model. Closed set; the names are reasons of conditions and Events.
enum class Obstacle : std::uint8_t {
  kBadName,            // a tag, path or URL that must not become a path
  kBadObject,          // an object with a field of the wrong type or size
  kBentoNotFound,      // neither Bento nor BentoRequest exists (yet)
  kClaimNotBound,      // a claim or its volume is missing or not bound
  kUnknownVolume,      // no configured volume fits, or more than one
  kNotAllowed,         // the namespace may not use the volume or the directory
  kLayoutUnknown,      // the StorageClass does not say where models lie
  kWholeVolume,        // a mount of everything says nothing of a model
  kGenerationUnknown,  // the image does not say whether it carries its models
};
inline constexpr std::size_t kObstacles = 9;
std::string_view ObstacleName(Obstacle obstacle);  // "BadName", …

struct Unresolved {
  std::string tag;
  Obstacle obstacle = Obstacle::kBadName;
  std::string reason;
  auto operator<=>(const Unresolved&) const = default;
};

}  // namespace prewarm::controller::bento
