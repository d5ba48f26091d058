#include "tests/fakes/fault.h"

namespace prewarm::rig {
namespace {

constexpr std::array<std::pair<FaultKind, std::string_view>, 22> kNames{{
    {FaultKind::kInternalError, "internal-error"},
    {FaultKind::kSlowDown, "slow-down"},
    {FaultKind::kTooManyRequests, "too-many-requests"},
    {FaultKind::kAccessDenied, "access-denied"},
    {FaultKind::kNoSuchKey, "no-such-key"},
    {FaultKind::kNoSuchBucket, "no-such-bucket"},
    {FaultKind::kRedirect, "redirect"},
    {FaultKind::kReset, "reset"},
    {FaultKind::kStall, "stall"},
    {FaultKind::kCloseEarly, "close-early"},
    {FaultKind::kLengthTooLong, "length-too-long"},
    {FaultKind::kLengthTooShort, "length-too-short"},
    {FaultKind::kLongerBody, "longer-body"},
    {FaultKind::kShorterBody, "shorter-body"},
    {FaultKind::kChunked, "chunked"},
    {FaultKind::kHtmlPage, "html-page"},
    {FaultKind::kGzip, "gzip"},
    {FaultKind::kFlippedBit, "flipped-bit"},
    {FaultKind::kOtherObject, "other-object"},
    {FaultKind::kSlow, "slow"},
    {FaultKind::kIgnoredRange, "ignored-range"},
    {FaultKind::kWrongRange, "wrong-range"},
}};

}  // namespace

std::string_view FaultName(FaultKind kind) {
  for (const auto& [known, name] : kNames) {
    if (known == kind) return name;
  }
  return "?";
}

std::optional<FaultKind> FaultNamed(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

void FaultPlan::When(Predicate predicate, Fault fault) {
  rules_.push_back({std::move(predicate), 0, fault});
}

void FaultPlan::Sometimes(double probability, Fault fault) {
  rules_.push_back({nullptr, probability, fault});
}

std::optional<Fault> FaultPlan::Choose(const SeenRequest& request) {
  if (spare_after_first_ && hit_.contains(request.path)) return std::nullopt;
  for (const Rule& rule : rules_) {
    const bool applies = rule.predicate ? rule.predicate(request)
                                        : std::bernoulli_distribution(rule.probability)(random_);
    if (!applies) continue;
    ++fired_[rule.fault.kind];
    hit_.insert(request.path);
    return rule.fault;
  }
  return std::nullopt;
}

}  // namespace prewarm::rig
