// Three generations of Bento images live side by side: those that carry their models (G0), those
// whose models lie on JuiceFS (G1), and those whose layers lie in S3 (G2). Only G1 is ours to warm;
// the others get an answer in words. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/bento/objects.h"

namespace prewarm::controller::bento {

enum class Generation : std::uint8_t {
  kNone,     // no Bento is named, or none is there yet
  kG0,       // models in the image
  kG1,       // models on JuiceFS
  kG2,       // image layers in S3
  kUnknown,  // cannot be told: nothing is warmed by it, and somebody should look
};
std::string_view GenerationName(Generation generation);  // "G0", …, "Unknown"; "" for kNone

struct GenerationVerdict {
  Generation generation = Generation::kNone;
  std::string why;  // "the annotation … is on the BentoRequest"
  bool operator==(const GenerationVerdict&) const = default;
};

// Either may be null. A Bento can be stale: the builder never updates its annotations.
GenerationVerdict DetectGeneration(const Bento* bento, const BentoRequest* request);

// The tag of an image reference; "" if it has none ("repo@sha256:…", "host:5000/repo").
std::string_view ImageTag(std::string_view reference);

}  // namespace prewarm::controller::bento
