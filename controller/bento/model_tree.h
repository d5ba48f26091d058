// A directory of a model, looked through: which of its files to warm. Asks for one directory after
// another, leaves out what the rules skip, and follows symlinks to files that lie inside of a
// boundary, because a snapshot of the hub consists of them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/bento/file_rules.h"
#include "controller/bento/source_resolver.h"

namespace prewarm::controller::bento {

class ModelTree {
 public:
  // Where the bytes of the files lie, and how many there are, if that is known.
  using Files = std::map<std::string, std::optional<std::uint64_t>>;

  // Nothing outside of `boundary`, which holds `root`, is followed or named. `selection`: of paths
  // relative to the root, besides the rules; both outlive this.
  ModelTree(std::string root, std::string boundary, const FileRules& rules,
            const FileFilter* selection);

  // Nothing once all is known. After `Stop` no further directory is asked for: those that were not
  // looked into are named whole.
  [[nodiscard]] std::optional<std::string> Next() const;
  void Answer(const Listing& listing);
  void Stop();

  [[nodiscard]] bool exists() const { return exists_; }
  // The root itself has an entry of this name.
  [[nodiscard]] bool Has(const std::string& name) const;
  // Files by name, or the directories that hold exactly what is wanted; at most kMaxAnswerPaths.
  [[nodiscard]] std::vector<std::string> Paths() const;
  // The directories that the files lie in: fewer paths than Paths(), although more is in them.
  [[nodiscard]] std::vector<std::string> Holders() const;
  [[nodiscard]] const Files& files() const { return files_; }
  // Not all of it was looked at.
  [[nodiscard]] bool cut() const { return cut_; }
  // What should be there and is not, or was refused: "a.safetensors is missing", …
  [[nodiscard]] const std::vector<std::string>& faults() const { return faults_; }

 private:
  struct Directory {
    bool whole = true;  // naming it warms what is wanted of it and nothing else
    std::vector<std::string> files;
    std::vector<std::string> children;
  };
  struct Link {
    std::string path;
    std::string target;  // free of dots
  };

  void AnswerRoot(const Listing& listing);
  void AnswerDirectory(const std::string& path, const Listing& listing);
  void AnswerTargets(const std::string& path, const Listing& listing);
  void Enter(const std::string& path, const DirectoryEntry& entry, bool safetensors);
  void AddFile(std::string path, std::optional<std::uint64_t> bytes);
  void AddLink(std::string path, const std::string& target);
  void SettleLink(const Link& link, const DirectoryEntry* entry);
  bool Wants(const std::string& path) const;
  bool AddPaths(const std::string& path, std::vector<std::string>& paths) const;
  bool IsWhole(const std::string& path) const;
  void Fault(std::string words);

  const std::string root_;
  const std::string boundary_;
  const FileRules& rules_;
  const FileFilter* selection_;
  bool exists_ = false;
  bool is_file_ = false;
  std::map<std::string, Directory> directories_;    // that were looked into
  std::deque<std::string> waiting_;                 // to be looked into
  std::map<std::string, std::vector<Link>> links_;  // by the directory of their targets
  std::set<std::string> root_entries_;
  Files files_;
  bool cut_ = false;
  std::vector<std::string> faults_;
};

// The path that a symlink in `directory` leads to, without dots. Nothing: absolute, or out of the
// volume.
std::optional<std::string> LinkTarget(std::string_view directory, std::string_view target);

}  // namespace prewarm::controller::bento
