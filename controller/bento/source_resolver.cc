#include "controller/bento/source_resolver.h"

#include <utility>

#include "common/base/check.h"
#include "controller/bento/candidate_walk.h"

namespace prewarm::controller::bento {

std::string_view CompletenessName(Completeness completeness) {
  switch (completeness) {
    case Completeness::kAbsent: return "absent";
    case Completeness::kPartial: return "partial";
    case Completeness::kComplete: break;
  }
  return "complete";
}

SourceResolver::SourceResolver(std::vector<Candidate> candidates, FileRules rules)
    : candidates_(std::move(candidates)), rules_(std::move(rules)) {
  PREWARM_CHECK(!candidates_.empty(), "a source names at least one place");
  walk_ = std::make_unique<CandidateWalk>(candidates_.front(), rules_);
}

SourceResolver::~SourceResolver() = default;

std::optional<std::string> SourceResolver::Next() const {
  return walk_ == nullptr ? std::nullopt : walk_->Next();
}

void SourceResolver::Answer(const Listing& listing) {
  PREWARM_CHECK(walk_ != nullptr, "an answer without a question");
  walk_->Answer(listing);
  if (!walk_->Next()) Settle();
}

// The next candidate, unless this one is whole or was the last.
void SourceResolver::Settle() {
  auto answer = walk_->Outcome();
  if (at_ == 0 || answer.completeness > best_.completeness) best_ = std::move(answer);
  walk_.reset();
  if (++at_ == candidates_.size() || best_.completeness == Completeness::kComplete) return;
  walk_ = std::make_unique<CandidateWalk>(candidates_[at_], rules_);
}

}  // namespace prewarm::controller::bento
