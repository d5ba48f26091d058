#include "controller/cli/words.h"

#include <google/protobuf/util/time_util.h>

#include <array>
#include <chrono>
#include <ctime>
#include <map>

#include "common/base/units.h"

namespace prewarm::ctl {

WallTime ToWallTime(const google::protobuf::Timestamp& stamp) {
  return WallTime(
      std::chrono::microseconds(google::protobuf::util::TimeUtil::TimestampToMicroseconds(stamp)));
}

std::string ShortDuration(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  if (seconds < 0) return "0s";
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 7200) return std::to_string(seconds / 60) + "m";
  if (seconds < 172'800) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86'400) + "d";
}

std::string FullTime(const google::protobuf::Timestamp& stamp) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(ToWallTime(stamp));
  std::tm local{};
  localtime_r(&seconds, &local);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %Z", &local);
  return text.data();
}

std::string RateWord(std::uint64_t bytes_per_second) {
  return bytes_per_second == 0 ? "" : FormatBytes(bytes_per_second) + "/s";
}

std::string ShareWord(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "";
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  const int percent = part >= whole ? 100 : std::min(static_cast<int>(share * 100), 99);
  return std::to_string(percent) + " %";
}

std::string SubjectOf(const v1::PrewarmSpec& spec) {
  if (!spec.model().empty()) return spec.model();
  std::string paths;
  for (const auto& path : spec.paths()) paths += (paths.empty() ? "" : " ") + path;
  return paths.empty() ? "/" : paths;
}

std::string NodesWord(const v1::NodeSelector& nodes) {
  std::string text;
  for (const auto& name : nodes.names()) text += (text.empty() ? "" : ", ") + name;
  const std::map<std::string, std::string> labels(nodes.labels().begin(), nodes.labels().end());
  for (const auto& [name, value] : labels) {
    text += (text.empty() ? "" : ", ") + name + "=" + value;
  }
  if (text.empty()) text = "every node";
  if (nodes.count() > 0) text = "at most " + std::to_string(nodes.count()) + " of " + text;
  return text;
}

std::string StateWord(const v1::Node& node) {
  if (!node.connected()) return "away";
  return node.draining() ? "draining" : "connected";
}

}  // namespace prewarm::ctl
