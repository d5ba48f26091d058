#include "common/metadata/path_walk.h"

#include <utility>

#include "common/base/check.h"
#include "common/metadata/volume_keys.h"

namespace prewarm::metadata {
namespace {

using juicefs::FileType;

constexpr int kSymlinks = 40;  // as Linux has it

}  // namespace

PathWalk::PathWalk(std::string requested, juicefs::Inode root) : requested_(std::move(requested)) {
  trail_.push_back({.inode = root, .name = ""});
  Prepend(requested_, false);
}

void PathWalk::Prepend(std::string_view path, bool of_symlink) {
  while (!path.empty()) {
    const auto slash = path.rfind('/');
    const std::string_view last = slash == path.npos ? path : path.substr(slash + 1);
    if (!last.empty()) rest_.push_back({.name = std::string(last), .of_symlink = of_symlink});
    path = slash == path.npos ? std::string_view() : path.substr(0, slash);
  }
}

Result<std::optional<PathWalk::Question>> PathWalk::Next() {
  if (symlink_) {
    return Question{.kind = Question::Kind::kTarget, .inode = symlink_->inode, .name = {}};
  }
  while (!rest_.empty()) {
    const Component& next = rest_.back();
    if (next.name == "..") {
      if (trail_.size() > 1) {
        trail_.pop_back();
      } else if (next.of_symlink) {
        return Invalid("a symlink on the way leaves the volume");
      }
    } else if (next.name != ".") {
      return Question{
          .kind = Question::Kind::kEntry, .inode = trail_.back().inode, .name = next.name};
    }
    rest_.pop_back();
  }
  return std::nullopt;
}

Status PathWalk::Answer(std::optional<std::string_view> value) {
  if (symlink_) {
    if (value) return FollowSymlink(*value);
    return Fail(ErrorCode::kCorrupt, Printable(requested_) + ": the symlink " + Here() +
                                         Printable(symlink_->name) + " (inode " +
                                         std::to_string(symlink_->inode.value) + ") has no target");
  }
  PREWARM_CHECK(!rest_.empty(), "an answer without a question");
  if (!value) return NotFound();
  auto entry = juicefs::ParseDirectoryEntry(*value);
  if (!entry) {
    return std::move(entry).error().Within("entry " + Here() + Printable(rest_.back().name) +
                                           " (directory inode " +
                                           std::to_string(trail_.back().inode.value) + ")");
  }
  return Enter(*entry);
}

Status PathWalk::Enter(const juicefs::DirectoryEntry& entry) {
  Step step{.inode = entry.inode, .name = std::move(rest_.back().name)};
  rest_.pop_back();
  switch (entry.type) {
    case FileType::kDirectory: trail_.push_back(std::move(step)); return {};
    case FileType::kSymlink: symlink_ = std::move(step); return {};
    case FileType::kFile: break;
    default:
      return Invalid(Here() + Printable(step.name) + " is a " +
                     std::string(juicefs::FileTypeName(entry.type)) +
                     ", neither a file nor a directory");
  }
  if (!rest_.empty()) {
    return Fail(ErrorCode::kNotFound, Printable(requested_) +
                                          ": no such file or directory in the volume; " + Here() +
                                          Printable(step.name) + " exists, but is a file");
  }
  file_ = std::move(step);
  return {};
}

Status PathWalk::FollowSymlink(std::string_view target) {
  const std::string where = "the symlink " + Here() + Printable(symlink_->name);
  symlink_.reset();
  if (++symlinks_ > kSymlinks) {
    return Invalid("more than " + std::to_string(kSymlinks) + " symlinks on the way (a loop?)");
  }
  if (target.starts_with('/') || target.find("://") != target.npos) {
    return Invalid(where + " points to \"" + Printable(target) +
                   "\"; only relative targets can be followed: name the file or directory itself");
  }
  Prepend(target, true);
  return {};
}

Node PathWalk::Destination() const {
  Node node{.inode = trail_.back().inode, .type = FileType::kDirectory, .path = {}};
  for (std::size_t i = 1; i < trail_.size(); ++i) {
    if (i > 1) node.path += '/';
    node.path += trail_[i].name;
  }
  if (file_) {
    if (!node.path.empty()) node.path += '/';
    node.path += file_->name;
    node.inode = file_->inode;
    node.type = FileType::kFile;
  }
  return node;
}

std::string PathWalk::Here() const {
  std::string path = "/";
  for (std::size_t i = 1; i < trail_.size(); ++i) path += Printable(trail_[i].name) + "/";
  return path;
}

Error PathWalk::NotFound() const {
  std::string message = Printable(requested_) + ": no such file or directory in the volume; ";
  if (trail_.size() == 1) {
    message += "its root has no \"" + Printable(rest_.back().name) + "\"";
  } else {
    std::string parent = Here();
    parent.pop_back();
    message += parent + " exists";
  }
  return Fail(ErrorCode::kNotFound, std::move(message), Reason::kNotFound);
}

Error PathWalk::Invalid(const std::string& why) const {
  return Fail(ErrorCode::kInvalidArgument, Printable(requested_) + ": " + why);
}

}  // namespace prewarm::metadata
