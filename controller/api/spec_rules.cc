#include "controller/api/spec_rules.h"

#include <algorithm>
#include <set>
#include <utility>

namespace prewarm::controller {
namespace {

bool IsControl(char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }

std::string At(std::string_view list, std::size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

std::string BytesOf(std::size_t bytes, std::size_t most) {
  return std::to_string(bytes) + " bytes; at most " + std::to_string(most) + " are allowed";
}

// Names end up in logs, tables and metrics, so they are short and in one line.
void CheckText(std::string_view text, std::size_t most, const std::string& field,
               FieldProblems& problems) {
  if (text.size() > most) problems.Add(field, BytesOf(text.size(), most));
  if (std::ranges::any_of(text, IsControl)) {
    problems.Add(field, "must not hold control characters");
  }
}

void CheckPaths(const std::vector<std::string>& paths, const std::string& field,
                FieldProblems& problems) {
  if (paths.size() > kMaxPaths) {
    problems.Add(field, std::to_string(paths.size()) + " paths; at most " +
                            std::to_string(kMaxPaths) +
                            " are allowed: name directories, or leave paths out for the volume");
    return;
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (paths[i].empty()) {
      problems.Add(At(field, i), "must not be empty: \"/\" is the whole volume");
    }
    CheckPath(paths[i], At(field, i), problems);
  }
}

void CheckNodeNames(const std::vector<std::string>& names, const std::string& field,
                    FieldProblems& problems) {
  if (names.size() > kMaxNodeNames) {
    problems.Add(field, std::to_string(names.size()) + " names; at most " +
                            std::to_string(kMaxNodeNames) + " are allowed: select by labels");
    return;
  }
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    CheckName(names[i], At(field, i), problems);
    if (!seen.insert(names[i]).second) problems.Add(At(field, i), "is named twice");
  }
}

void CheckLabels(const std::map<std::string, std::string>& labels, const std::string& field,
                 FieldProblems& problems) {
  if (labels.size() > kMaxLabels) {
    problems.Add(field, std::to_string(labels.size()) + " labels; at most " +
                            std::to_string(kMaxLabels) + " are allowed");
    return;
  }
  for (const auto& [name, value] : labels) {
    // The name itself may be what is wrong, so that it is not repeated in full.
    const auto at = field + "[\"" + name.substr(0, 64) + "\"]";
    if (name.empty()) problems.Add(field, "the name of a label must not be empty");
    CheckText(name, kMaxLabelNameBytes, at, problems);
    CheckText(value, kMaxLabelValueBytes, at, problems);
  }
}

// Where it goes and how urgent it is.
void CheckManner(const PrewarmSpec& spec, std::string_view prefix, FieldProblems& problems) {
  const auto field = [&](const char* name) { return std::string(prefix) + name; };
  CheckNodeNames(spec.nodes.names, field("nodes.names"), problems);
  CheckLabels(spec.nodes.labels, field("nodes.labels"), problems);
  if (spec.priority < 0 || spec.priority > kMaxPriority) {
    problems.Add(field("priority"), std::to_string(spec.priority) + " is not from 0 to " +
                                        std::to_string(kMaxPriority));
  }
  if (spec.refuse_if_late && !spec.deadline) {
    problems.Add(field("refuse_if_late"), "means nothing without a deadline: give one");
  }
}

void CheckBento(const CreateRequest& request, FieldProblems& problems) {
  constexpr auto kSaidByBento =
      "does not go together with bento, whose models say it: leave it out";
  if (!request.spec.volume.empty()) problems.Add("spec.volume", kSaidByBento);
  if (!request.spec.paths.empty()) problems.Add("spec.paths", kSaidByBento);
  if (!request.spec.model.empty()) problems.Add("spec.model", kSaidByBento);
  CheckText(request.bento, kMaxBentoBytes, "bento", problems);
}

}  // namespace

void FieldProblems::Add(std::string field, std::string detail) {
  if (list_.size() == kMaxFieldProblems) {
    ++left_out_;
    return;
  }
  list_.push_back({std::move(field), std::move(detail)});
}

Problem FieldProblems::ToProblem() && {
  const auto count = list_.size() + left_out_;
  std::string detail = count == 1 ? "A field of the request is wrong."
                                  : std::to_string(count) + " fields of the request are wrong.";
  if (left_out_ > 0) {
    detail += " The first " + std::to_string(list_.size()) + " are named.";
  }
  return {ProblemKind::kInvalid, "invalid-field", std::move(detail), std::move(list_), {}};
}

void CheckSpec(const PrewarmSpec& spec, std::string_view prefix, FieldProblems& problems) {
  const auto field = [&](const char* name) { return std::string(prefix) + name; };
  CheckName(spec.volume, field("volume"), problems);
  CheckPaths(spec.paths, field("paths"), problems);
  CheckManner(spec, prefix, problems);
  CheckText(spec.model, kMaxNameBytes, field("model"), problems);
}

void CheckRequest(const CreateRequest& request, FieldProblems& problems) {
  if (request.bento.empty()) {
    CheckSpec(request.spec, "spec.", problems);
  } else {
    CheckBento(request, problems);
    CheckManner(request.spec, "spec.", problems);
  }
  CheckIdempotencyKey(request.idempotency_key, "idempotency_key", problems);
}

void CheckPath(std::string_view path, const std::string& field, FieldProblems& problems) {
  if (path.size() > kMaxPathBytes) problems.Add(field, BytesOf(path.size(), kMaxPathBytes));
  if (path.find('\0') != std::string_view::npos) {
    problems.Add(field, "must not hold a NUL character");
  }
}

void CheckName(std::string_view name, const std::string& field, FieldProblems& problems) {
  if (name.empty()) problems.Add(field, "is missing");
  CheckText(name, kMaxNameBytes, field, problems);
}

void CheckIdempotencyKey(std::string_view key, const std::string& field, FieldProblems& problems) {
  if (key.size() > kMaxIdempotencyKeyBytes) {
    problems.Add(field, BytesOf(key.size(), kMaxIdempotencyKeyBytes));
  }
  if (std::ranges::any_of(key, [](char c) { return c <= 0x20 || c >= 0x7f; })) {
    problems.Add(field, "must be visible ASCII characters, without spaces");
  }
}

std::uint32_t CheckPageSize(std::uint64_t size, PageLimits limits, const std::string& field,
                            FieldProblems& problems) {
  if (size > limits.most) {
    problems.Add(field, std::to_string(size) + " is not from 1 to " + std::to_string(limits.most));
  }
  return size == 0 ? limits.usual
                   : static_cast<std::uint32_t>(std::min<std::uint64_t>(size, limits.most));
}

}  // namespace prewarm::controller
