#include "controller/kube/micro_time.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace prewarm::controller::kube {

std::string FormatMicroTime(WallTime when) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace)
  const auto day = floor<days>(when);
  const year_month_day date(day);
  const hh_mm_ss time(floor<microseconds>(when - day));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02ld:%02ld:%02lld.%06lldZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<long>(time.hours().count()),
                static_cast<long>(time.minutes().count()),
                static_cast<long long>(time.seconds().count()),
                static_cast<long long>(time.subseconds().count()));
  return text.data();
}

}  // namespace prewarm::controller::kube
