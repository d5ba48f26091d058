// Values of the API as short words for tables and lines. Pure.
#pragma once

#include <prewarm/v1/prewarm.pb.h>

#include <cstdint>
#include <string>

#include "common/base/clock.h"

namespace prewarm::ctl {

WallTime ToWallTime(const google::protobuf::Timestamp& stamp);
// "45s", "12m", "3h", "9d": how long ago, or until then.
std::string ShortDuration(Duration duration);
// "2026-05-01 14:32:05 UTC", in the local zone.
std::string FullTime(const google::protobuf::Timestamp& stamp);
// "812 MiB/s"; empty for none.
std::string RateWord(std::uint64_t bytes_per_second);
// "52 %"; rounded down, so that 100 % is all of it.
std::string ShareWord(std::uint64_t part, std::uint64_t whole);

// What a prewarm is of: its model's name, else its paths, else the whole volume.
std::string SubjectOf(const v1::PrewarmSpec& spec);
// "gpu-1, gpu-2", "gpu=h100", "every node", with "at most 3 of" before it.
std::string NodesWord(const v1::NodeSelector& nodes);
// "connected", "draining", "away"
std::string StateWord(const v1::Node& node);

}  // namespace prewarm::ctl
