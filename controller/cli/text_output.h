// What people read: tables that fit 80 columns, and everything about one thing. Pure.
#pragma once

#include <prewarm/v1/prewarm.pb.h>

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "controller/cli/table.h"

namespace prewarm::ctl {

std::string PrewarmTable(const std::vector<v1::Prewarm>& prewarms, WallTime now);
std::string NodeTable(const std::vector<v1::Node>& nodes, WallTime now);
std::string VolumeTable(const std::vector<v1::VolumeStatus>& volumes, WallTime now);
// Rows of one page; the titles only with the first.
std::string FileTable(const v1::ListFilesResponse& page, bool with_titles);
// "12 files, 4.00 GiB"
std::string FilesTotal(const v1::ListFilesResponse& page);

std::string Describe(const v1::Prewarm& prewarm, WallTime now);
std::string Describe(const v1::Node& node, WallTime now);
std::string Describe(const v1::VolumeStatus& volume, WallTime now);
std::string Describe(const v1::PrewarmPlan& plan);

}  // namespace prewarm::ctl
