// One requested path on its way through a volume, step by step: it says what must be looked up next
// and is told the answer. No I/O, so that many paths can walk side by side in one round trip each
// level, and every rule about symlinks and dots can be tested alone.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/juicefs/attribute.h"
#include "common/metadata/node.h"

namespace prewarm::metadata {

class PathWalk {
 public:
  struct Question {
    enum class Kind { kEntry, kTarget };
    Kind kind = Kind::kEntry;
    juicefs::Inode inode;  // kEntry: the directory; kTarget: the symlink
    std::string name;      // kEntry
  };

  // "/", "" and "." are the root itself; ".." does not lead out of it.
  PathWalk(std::string requested, juicefs::Inode root);

  // Nothing once the walk is at its end. kInvalidArgument: a symlink that leaves the volume.
  Result<std::optional<Question>> Next();

  // The value that belongs to the last question, or nothing if there is none. kNotFound (names the
  // nearest parent that exists), kInvalidArgument: neither file nor directory, a loop of symlinks,
  // a target outside of the volume; kCorrupt: a record that no client writes.
  Status Answer(std::optional<std::string_view> value);

  // Only at the end of the walk.
  [[nodiscard]] Node Destination() const;

 private:
  struct Component {
    std::string name;
    bool of_symlink = false;
  };
  struct Step {
    juicefs::Inode inode;
    std::string name;
  };

  void Prepend(std::string_view path, bool of_symlink);
  Status Enter(const juicefs::DirectoryEntry& entry);
  Status FollowSymlink(std::string_view target);
  [[nodiscard]] std::string Here() const;  // where the walk is, with a leading "/"
  [[nodiscard]] Error NotFound() const;
  [[nodiscard]] Error Invalid(const std::string& why) const;

  std::string requested_;
  std::vector<Step> trail_;      // directories from the root down to where the walk is
  std::vector<Component> rest_;  // still to go, the next one last
  std::optional<Step> symlink_;  // its target is being asked for
  std::optional<Step> file_;     // the destination, if it is a file
  int symlinks_ = 0;
};

}  // namespace prewarm::metadata
