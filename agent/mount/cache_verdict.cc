#include "agent/mount/cache_verdict.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/units.h"

namespace prewarm::agent {
namespace {

// As the client's own command line sends in one message.
constexpr std::size_t kMostPaths = 10'240;

Error CannotAsk(std::string why) { return Fail(ErrorCode::kInvalidArgument, std::move(why)); }

// "/a/b" for "a//b/." and "/" for the root. Nothing for what only the client's own walk could tell
// ("..", which may leave a symlink) and for what a list of lines cannot hold.
std::optional<std::string> Plain(std::string_view path) {
  std::string plain;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (name == ".." || name.find('\n') != std::string_view::npos) return std::nullopt;
    plain.append("/").append(name);
  }
  return plain.empty() ? "/" : plain;
}

bool IsInside(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string AskedAt(WallTime at) { return "asked at " + FormatClockTime(at) + ", the client "; }

}  // namespace

std::vector<std::string> OutermostPaths(std::vector<std::string> paths) {
  // A folder comes before what lies in it if its name is thought to end in "/".
  std::ranges::sort(paths, {}, [](const std::string& path) { return path + "/"; });
  std::vector<std::string> outermost;
  for (auto& path : paths) {
    if (outermost.empty() || !IsInside(path, outermost.back())) {
      outermost.push_back(std::move(path));
    }
  }
  return outermost;
}

Result<CheckQuestion> QuestionFor(const MountSettings& mount, const PlannedData& planned) {
  if (!AnswersChecks(mount.version)) {
    return CannotAsk("version " + mount.version + " does not answer such questions");
  }
  if (planned.paths.empty()) return CannotAsk("it is not known about which paths");
  if (planned.paths.size() > kMostPaths) return CannotAsk("these are too many paths");
  const auto subdir = Plain(mount.subdir);
  if (!subdir) return CannotAsk("it shows a part of the volume that has no plain name");
  CheckQuestion question;
  for (const auto& path : planned.paths) {
    auto plain = Plain(path);
    if (!plain) return CannotAsk("a path with \"..\" or a line break cannot be named to it");
    if (IsInside(*subdir, *plain) && *subdir != "/") {
      question.part = *plain != *subdir;
      question.paths = {"/"};
      return question;
    }
    if (!IsInside(*plain, *subdir)) {
      return CannotAsk("it shows only " + *subdir + ", and " + *plain + " lies outside of that");
    }
    if (*subdir != "/") plain->erase(0, subdir->size());
    question.paths.push_back(*std::move(plain));
  }
  question.paths = OutermostPaths(std::move(question.paths));
  return question;
}

ClientAnswer AnswerOf(const CacheCount& count, bool part, const PlannedData& planned, WallTime at) {
  ClientAnswer answer{.verdict = CacheVerdict::kUnsettled, .at = at};
  const auto total = FormatBytes(count.total_bytes);
  const auto misses = "misses " + FormatBytes(count.missing_bytes) + " of " + total;
  if (!part && count.total_bytes < planned.bytes) {
    answer.words = AskedAt(at) + "counts only " + total + " below these paths, where " +
                   FormatBytes(planned.bytes) + " were planned";
    return answer;
  }
  if (count.missing_bytes == 0) {
    answer.verdict = CacheVerdict::kFindsAll;
    answer.words = AskedAt(at) + "finds all " + total + (part ? " that it shows" : "");
    return answer;
  }
  const auto beyond_plan = part ? 0 : count.total_bytes - planned.bytes;
  if (count.missing_bytes > beyond_plan) {
    answer.verdict = CacheVerdict::kMisses;
    answer.words = AskedAt(at) + misses;
  } else {
    answer.words = AskedAt(at) + misses + ", which need not be of the " +
                   FormatBytes(planned.bytes) + " planned";
  }
  return answer;
}

ClientAnswer AnswerOf(const Error& why, WallTime at) {
  return {.at = at, .words = "the client could not be asked: " + why.message};
}

MountVisibility Settle(MountVisibility mount, const ClientAnswer& answer) {
  if (answer.verdict == CacheVerdict::kMisses) {
    mount.visibility = Visibility::kMissing;
    mount.words = "stored, but not visible at " + mount.mount_point + ": " + answer.words;
  } else {
    mount.words += "; " + answer.words;
  }
  return mount;
}

}  // namespace prewarm::agent
