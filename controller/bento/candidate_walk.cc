#include "controller/bento/candidate_walk.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "controller/bento/model_names.h"

namespace prewarm::controller::bento {
namespace {

constexpr std::string_view kFolderPrefix = "models--";

bool EqualButForCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Whoever names a snapshot by hand means the files that its links lead to, in the same repository.
std::string BoundaryOf(const std::string& path) {
  for (std::size_t at = 0; at < path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    if (std::string_view(path).substr(at).starts_with(kFolderPrefix)) return path.substr(0, end);
    at = end + 1;
  }
  return path;
}

}  // namespace

CandidateWalk::CandidateWalk(const Candidate& candidate, const FileRules& rules)
    : candidate_(candidate), rules_(rules) {
  if (candidate_.layout != Layout::kHub) {
    cache_asked_ = true;
    roots_.push_back({.path = candidate_.path, .boundary = BoundaryOf(candidate_.path)});
    BeginTree();
  }
}

std::optional<std::string> CandidateWalk::Next() const {
  if (!cache_asked_) return candidate_.path;
  if (!folders_.empty()) return JoinPath(folders_.back(), "snapshots");
  return trees_.empty() ? std::nullopt : trees_.back().Next();
}

void CandidateWalk::Answer(const Listing& listing) {
  ++asked_;
  if (!cache_asked_) {
    AnswerCache(listing);
  } else if (!folders_.empty()) {
    AnswerSnapshots(listing);
  } else {
    trees_.back().Answer(listing);
  }
  if (folders_.empty()) BeginTree();
  if (asked_ == kMaxDirectories && Next()) Stop();
}

void CandidateWalk::Stop() {
  folders_.clear();
  roots_.clear();
  if (!trees_.empty()) trees_.back().Stop();
  faults_.emplace_back("it has more directories than are looked at");
}

void CandidateWalk::BeginTree() {
  const bool busy = !trees_.empty() && trees_.back().Next();
  if (busy || roots_.empty()) return;
  auto root = std::move(roots_.back());
  roots_.pop_back();
  trees_.emplace_back(std::move(root.path), std::move(root.boundary), rules_,
                      candidate_.selection ? &candidate_.selection->files : nullptr);
}

std::string CandidateWalk::MarkerName() const {
  return (candidate_.layout == Layout::kHub ? candidate_.version : "") + ".exists";
}

void CandidateWalk::AnswerCache(const Listing& listing) {
  cache_asked_ = true;
  const bool elsewhere = listing.real_path != candidate_.path;
  if (listing.kind != Listing::Kind::kDirectory || elsewhere) return;
  cache_exists_ = true;
  for (const auto& entry : listing.entries) {
    const bool any = candidate_.version.empty() && entry.name.ends_with(MarkerName());
    marked_ = marked_ || any || entry.name == MarkerName();
    const bool repository = entry.type == DirectoryEntry::Type::kDirectory &&
                            EqualButForCase(entry.name, candidate_.folder);
    if (repository) folders_.push_back(JoinPath(candidate_.path, entry.name));
  }
  std::ranges::sort(folders_);
}

bool CandidateWalk::WantsSnapshot(const std::string& commit) const {
  if (!CheckPathPart(commit)) return false;
  const auto& selection = candidate_.selection;
  return !selection || !selection->HasCommit() || selection->revision == commit;
}

void CandidateWalk::AnswerSnapshots(const Listing& listing) {
  const auto folder = std::move(folders_.back());
  folders_.pop_back();
  found_folder_ = folder;
  const auto snapshots = JoinPath(folder, "snapshots");
  if (listing.kind != Listing::Kind::kDirectory || listing.real_path != snapshots) return;
  for (const auto& entry : listing.entries) {
    if (entry.type != DirectoryEntry::Type::kDirectory || !WantsSnapshot(entry.name)) continue;
    roots_.push_back({.path = JoinPath(snapshots, entry.name), .boundary = folder});
  }
  std::ranges::sort(roots_, {}, &Root::path);
}

bool CandidateWalk::IsMarked() const {
  switch (candidate_.layout) {
    case Layout::kTree: return true;  // nothing marks it: whoever named it answers for it
    case Layout::kItem: return trees_.front().Has(MarkerName());
    case Layout::kHub: break;
  }
  return marked_;
}

std::string CandidateWalk::WhyAbsent() const {
  const auto where = Quoted("/" + candidate_.path);
  if (candidate_.layout != Layout::kHub) {
    return trees_.front().exists() ? where + " holds no file to warm"
                                   : where + " is not on the volume";
  }
  std::string what = cache_exists_ ? where + " holds no " + Quoted(candidate_.folder)
                                   : where + " is not on the volume";
  if (!found_folder_.empty()) {
    const auto& selection = candidate_.selection;
    what = Quoted("/" + found_folder_) + " holds no snapshot " +
           (selection && selection->HasCommit() ? selection->revision : "with files to warm");
  }
  return what + ": the SDK will download the model from the hub when the pod starts";
}

std::string CandidateWalk::WhyPartial() const {
  std::string reason;
  const auto add = [&](const std::string& words) {
    reason += (reason.empty() ? "" : "; ") + words;
  };
  if (!IsMarked()) {
    add("the marker " + Quoted(MarkerName()) + " is missing: it is still being seeded, or that " +
        "failed");
  }
  for (const auto& fault : faults_) add(fault);
  for (const auto& tree : trees_) {
    for (const auto& fault : tree.faults()) add(fault);
  }
  return reason;
}

std::vector<std::string> CandidateWalk::Paths() const {
  std::set<std::string> paths;
  for (const auto& tree : trees_) {
    for (auto& path : tree.Paths()) paths.insert(std::move(path));
  }
  if (paths.size() > kMaxAnswerPaths) {
    paths.clear();
    for (const auto& tree : trees_) {
      for (auto& path : tree.Holders()) paths.insert(std::move(path));
    }
  }
  return {paths.begin(), paths.end()};
}

// Snapshots share files: each counts once.
std::optional<std::uint64_t> CandidateWalk::Bytes() const {
  ModelTree::Files files;
  for (const auto& tree : trees_) {
    if (tree.cut()) return std::nullopt;
    files.insert(tree.files().begin(), tree.files().end());
  }
  std::uint64_t sum = 0;
  for (const auto& [path, bytes] : files) {
    if (!bytes) return std::nullopt;
    sum += *bytes;
  }
  return sum;
}

SourceAnswer CandidateWalk::Outcome() const {
  SourceAnswer answer;
  answer.directory = candidate_.path;
  answer.paths = Paths();
  if (answer.paths.empty()) {
    answer.reason = WhyAbsent();
    return answer;
  }
  answer.bytes = Bytes();
  answer.reason = WhyPartial();
  answer.completeness = answer.reason.empty() ? Completeness::kComplete : Completeness::kPartial;
  if (answer.completeness == Completeness::kComplete && trees_.size() > 1) {
    answer.reason = "no commit is named, so that all " + std::to_string(trees_.size()) +
                    " snapshots are warmed";
  }
  return answer;
}

}  // namespace prewarm::controller::bento
