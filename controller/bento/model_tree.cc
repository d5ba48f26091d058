#include "controller/bento/model_tree.h"

#include <algorithm>
#include <utility>

#include "controller/bento/model_names.h"

namespace prewarm::controller::bento {
namespace {

using Type = DirectoryEntry::Type;

constexpr std::size_t kMaxFaults = 8;
constexpr std::string_view kSafetensors = ".safetensors";

std::string ParentOf(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::optional<std::string> LinkTarget(std::string_view directory, std::string_view target) {
  if (target.empty() || target.starts_with('/')) return std::nullopt;
  std::vector<std::string_view> parts;
  const std::string whole = std::string(directory) + "/" + std::string(target);
  for (std::size_t at = 0; at <= whole.size();) {
    const auto end = std::min(whole.find('/', at), whole.size());
    const auto part = std::string_view(whole).substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  std::string path;
  for (const auto part : parts) path = JoinPath(path, part);
  return path;
}

ModelTree::ModelTree(std::string root, std::string boundary, const FileRules& rules,
                     const FileFilter* selection)
    : root_(std::move(root)),
      boundary_(std::move(boundary)),
      rules_(rules),
      selection_(selection),
      waiting_{root_} {}

std::optional<std::string> ModelTree::Next() const {
  if (!waiting_.empty()) return waiting_.front();
  // Where links lead is looked at last, so that each directory of targets is looked at once.
  if (!links_.empty()) return links_.begin()->first;
  return std::nullopt;
}

void ModelTree::Answer(const Listing& listing) {
  if (waiting_.empty()) {
    const auto path = links_.begin()->first;
    return AnswerTargets(path, listing);
  }
  const auto path = std::move(waiting_.front());
  waiting_.pop_front();
  // A file may be named by a link inside of the boundary, as the hub's snapshots have them.
  const bool own_file = path == root_ && listing.kind == Listing::Kind::kFile &&
                        IsWithin(listing.real_path, boundary_);
  if (listing.kind != Listing::Kind::kAbsent && listing.real_path != path && !own_file) {
    Fault(Quoted(path) + " leads through a link to " + Quoted(listing.real_path) +
          ", which is not followed");
  } else if (path == root_) {
    AnswerRoot(listing);
  } else if (listing.kind == Listing::Kind::kDirectory) {
    AnswerDirectory(path, listing);
  }
}

void ModelTree::AnswerRoot(const Listing& listing) {
  exists_ = listing.kind != Listing::Kind::kAbsent;
  is_file_ = listing.kind == Listing::Kind::kFile;
  if (is_file_) AddFile(root_, listing.bytes);
  if (listing.kind != Listing::Kind::kDirectory) return;
  for (const auto& entry : listing.entries) root_entries_.insert(entry.name);
  AnswerDirectory(root_, listing);
}

bool ModelTree::Wants(const std::string& path) const {
  const auto relative = root_.empty() ? path : path.substr(std::min(root_.size() + 1, path.size()));
  return rules_.policy.Takes(relative) && (selection_ == nullptr || selection_->Takes(relative));
}

void ModelTree::AnswerDirectory(const std::string& path, const Listing& listing) {
  if (listing.truncated) {
    cut_ = true;
    return Fault(Quoted(path) + " holds more entries than are looked at");
  }
  directories_[path];
  // Other formats are skipped only for safetensors that are taken themselves.
  const bool safetensors = std::ranges::any_of(listing.entries, [&](const DirectoryEntry& entry) {
    const bool readable = entry.type == Type::kFile || entry.type == Type::kSymlink;
    return readable && entry.name.ends_with(kSafetensors) && Wants(JoinPath(path, entry.name));
  });
  // Sorted, so that the answer does not depend on the order of a listing.
  std::map<std::string_view, const DirectoryEntry*> entries;
  for (const auto& entry : listing.entries) entries.emplace(entry.name, &entry);
  for (const auto& [name, entry] : entries) Enter(path, *entry, safetensors);
}

void ModelTree::Enter(const std::string& path, const DirectoryEntry& entry, bool safetensors) {
  auto& directory = directories_[path];
  auto below = JoinPath(path, entry.name);
  const bool skipped = rules_.skip.Skips(entry.name, safetensors) || !CheckPathPart(entry.name);
  const bool unwanted = entry.type != Type::kDirectory && !Wants(below);
  if (entry.type == Type::kOther) return;  // a walk leaves it out by itself
  if (skipped || unwanted) {
    directory.whole = false;
  } else if (entry.type == Type::kDirectory) {
    directory.children.push_back(below);
    waiting_.push_back(std::move(below));
  } else if (entry.type == Type::kFile) {
    directory.files.push_back(below);
    AddFile(std::move(below), entry.bytes);
  } else {
    directory.whole = false;  // a walk does not follow it
    AddLink(std::move(below), entry.target);
  }
}

void ModelTree::AddFile(std::string path, std::optional<std::uint64_t> bytes) {
  files_.emplace(std::move(path), bytes);  // once, however many links lead to it
}

void ModelTree::AddLink(std::string path, const std::string& target) {
  auto led = LinkTarget(ParentOf(path), target);
  if (!led || *led == boundary_ || !IsWithin(*led, boundary_)) {
    return Fault(Quoted(NameOf(path)) + " is a link out of the model's directory, which is not " +
                 "followed");
  }
  auto directory = ParentOf(*led);
  links_[std::move(directory)].push_back({.path = std::move(path), .target = *std::move(led)});
}

void ModelTree::AnswerTargets(const std::string& path, const Listing& listing) {
  const auto links = std::move(links_.extract(path).mapped());
  std::map<std::string_view, const DirectoryEntry*> entries;
  if (listing.kind == Listing::Kind::kDirectory && listing.real_path == path) {
    for (const auto& entry : listing.entries) entries.emplace(entry.name, &entry);
  }
  for (const auto& link : links) {
    const auto name = NameOf(link.target);
    const auto found = entries.find(name);
    SettleLink(link, found == entries.end() ? nullptr : found->second);
  }
}

void ModelTree::SettleLink(const Link& link, const DirectoryEntry* entry) {
  if (entry == nullptr) {
    return Fault(Quoted(NameOf(link.path)) + " is not there yet: its link leads to nothing");
  }
  if (entry->type != Type::kFile) {
    return Fault(Quoted(NameOf(link.path)) + " is a link to something that is no file");
  }
  directories_[ParentOf(link.path)].files.push_back(link.path);
  AddFile(link.target, entry->bytes);
}

void ModelTree::Stop() {
  waiting_.clear();
  for (const auto& [directory, links] : links_) {
    for (const auto& link : links) Fault(Quoted(NameOf(link.path)) + " was not looked at");
  }
  links_.clear();
  cut_ = true;
}

bool ModelTree::Has(const std::string& name) const { return root_entries_.contains(name); }

bool ModelTree::IsWhole(const std::string& path) const {
  const auto found = directories_.find(path);
  if (found == directories_.end()) return true;  // was not looked into
  return found->second.whole &&
         std::ranges::all_of(found->second.children,
                             [&](const std::string& child) { return IsWhole(child); });
}

bool ModelTree::AddPaths(const std::string& path, std::vector<std::string>& paths) const {
  const auto found = directories_.find(path);
  if (IsWhole(path)) {
    paths.push_back(path.empty() ? "/" : path);
    return paths.size() <= kMaxAnswerPaths;
  }
  paths.insert(paths.end(), found->second.files.begin(), found->second.files.end());
  return paths.size() <= kMaxAnswerPaths &&
         std::ranges::all_of(found->second.children,
                             [&](const std::string& child) { return AddPaths(child, paths); });
}

std::vector<std::string> ModelTree::Paths() const {
  if (files_.empty() && !cut_) return {};
  if (is_file_) return {root_};
  std::vector<std::string> paths;
  if (!AddPaths(root_, paths)) return Holders();
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> ModelTree::Holders() const {
  std::set<std::string> holders{root_.empty() ? "/" : root_};
  for (const auto& [path, bytes] : files_) {
    if (!IsWithin(path, root_)) holders.insert(ParentOf(path));
  }
  return {holders.begin(), holders.end()};
}

void ModelTree::Fault(std::string words) {
  if (faults_.size() < kMaxFaults) faults_.push_back(std::move(words));
}

}  // namespace prewarm::controller::bento
