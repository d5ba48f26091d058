#include "controller/cli/targets.h"

#include <algorithm>

namespace prewarm::ctl {
namespace {

Error Wrong(std::string message) { return Fail(ErrorCode::kInvalidArgument, std::move(message)); }

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::vector<std::string_view> SplitAtCommas(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<Target> ParseTarget(std::string_view text) {
  const auto colon = text.find(':');
  const auto volume = text.substr(0, colon);
  if (volume.empty() || volume.find('/') != std::string_view::npos) {
    return Wrong(Quoted(text) + " is not VOLUME or VOLUME:PATH");
  }
  Target target{std::string(volume), ""};
  if (colon != std::string_view::npos) target.path = text.substr(colon + 1);
  return target;
}

Status SetTargets(const std::vector<std::string>& texts, v1::PrewarmSpec& spec) {
  for (const auto& text : texts) {
    TRY(auto target, ParseTarget(text));
    if (!spec.volume().empty() && spec.volume() != target.volume) {
      return Wrong("a prewarm is of one volume, but " + Quoted(spec.volume()) + " and " +
                   Quoted(target.volume) + " are named: use one call for each");
    }
    spec.set_volume(target.volume);
    if (!target.path.empty()) spec.add_paths(target.path);
  }
  if (spec.paths_size() > 0 && static_cast<std::size_t>(spec.paths_size()) < texts.size()) {
    return Wrong("the whole of volume " + Quoted(spec.volume()) +
                 " and paths of it are named: leave out one or the other");
  }
  return {};
}

Status SetNodes(std::string_view text, v1::NodeSelector& nodes) {
  const auto parts = SplitAtCommas(text);
  const auto is_label = [](std::string_view part) {
    return part.find('=') != std::string_view::npos;
  };
  const bool labels = std::ranges::any_of(parts, is_label);
  for (const auto part : parts) {
    if (part.empty()) return Wrong(Quoted(text) + " names nothing between two commas");
    if (labels != is_label(part)) {
      return Wrong(Quoted(text) + " mixes names and labels: give names (n1,n2) or labels (k=v,…)");
    }
    if (!labels) {
      nodes.add_names(std::string(part));
      continue;
    }
    const auto equals = part.find('=');
    if (equals == 0) return Wrong(Quoted(part) + " is a label without a name");
    const std::string name(part.substr(0, equals));
    if (nodes.labels().contains(name)) return Wrong("label " + Quoted(name) + " is given twice");
    (*nodes.mutable_labels())[name] = std::string(part.substr(equals + 1));
  }
  return {};
}

}  // namespace prewarm::ctl
