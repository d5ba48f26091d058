// A running prewarm as lines: all of it for a terminal that is redrawn, what is new for elsewhere.
// Pure.
#pragma once

#include <prewarm/v1/prewarm.pb.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace prewarm::ctl {

// A line for each node and the total below, none wider than `columns`. If there are more nodes than
// rows, those at work come first and the rest is counted.
std::vector<std::string> LiveView(const v1::Prewarm& prewarm, std::size_t columns,
                                  std::size_t rows);

// The total in one line.
std::string TotalLine(const v1::Prewarm& prewarm, std::size_t columns);
// "prewarm … succeeded: 2 of 2 nodes visible, 1.00 GiB fetched"
std::string EndLine(const v1::Prewarm& prewarm);

// What was told, and so need not be told again.
class PlainView {
 public:
  // A line for each node whose state is new, and from time to time the total.
  std::vector<std::string> News(const v1::Prewarm& prewarm, SteadyTime now);

 private:
  std::map<std::string, std::string> told_;  // state by node
  SteadyTime next_total_{};
};

}  // namespace prewarm::ctl
