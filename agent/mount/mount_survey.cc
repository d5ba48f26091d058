#include <algorithm>
#include <map>
#include <utility>

#include "agent/mount/mounts.h"

namespace prewarm::agent {
namespace {

using Places = std::vector<MountEntry>;

struct Answer {
  std::optional<MountSettings> settings;
  std::optional<Error> error;
};

// Any place of the client that answers will do.
Answer AskClient(const MountSources& sources, const Places& places) {
  Answer answer;
  for (const MountEntry& place : places) {
    auto settings = sources.read(place);
    if (settings) return {*std::move(settings), std::nullopt};
    // A client that hangs does so at all its mount points.
    const bool hangs = settings.error().code == ErrorCode::kTimeout;
    if (!answer.error || hangs) answer.error = std::move(settings).error();
    if (hangs) break;
  }
  return answer;
}

}  // namespace

MountSurvey SurveyOf(const MountSources& sources) {
  // One client may be reachable at many places.
  std::map<std::string, Places> clients;
  for (MountEntry& entry : sources.table()) {
    if (entry.root == "/") clients[entry.device].push_back(std::move(entry));
  }
  MountSurvey survey;
  for (const auto& [device, places] : clients) {
    auto answer = AskClient(sources, places);
    if (answer.settings) {
      survey.mounts.push_back(*std::move(answer.settings));
      continue;
    }
    // One that was unmounted meanwhile must not be held against anybody.
    const auto table = sources.table();
    const auto place = std::ranges::find_if(places, [&table](const MountEntry& entry) {
      return std::ranges::find(table, entry) != table.end();
    });
    if (place != places.end()) survey.unreadable.emplace_back(*place, *std::move(answer.error));
  }
  return survey;
}

}  // namespace prewarm::agent
