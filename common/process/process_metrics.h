// What the kernel says of this process, under the names that every Prometheus client library uses,
// so that common dashboards and alerts work.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace prewarm {

struct ProcessMetric {
  std::string name;
  std::string help;
  std::function<double()> read;  // from /proc/self; 0 where it cannot be read
};

std::vector<ProcessMetric> ProcessMetrics();

}  // namespace prewarm
