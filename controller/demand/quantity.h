// Kubernetes quantities: "500m", "16Gi", "1e3", 2. Exact, because whether the last GPU or the last
// mebibyte is free decides where a pod can go.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace prewarm::controller::demand {

// units + nanos / 10^9, with the nanos counting upwards from the next smaller whole number. As in
// Kubernetes, what is finer than a nano is rounded away from zero, and what does not fit is the
// largest number that does.
struct Quantity {
  std::int64_t units = 0;
  std::int32_t nanos = 0;  // 0 to 999,999,999
  auto operator<=>(const Quantity&) const = default;

  // Rounded up, as the scheduler counts: processors in thousandths, everything else in ones.
  [[nodiscard]] std::int64_t CeilUnits() const;
  [[nodiscard]] std::int64_t CeilMilli() const;
  [[nodiscard]] double ToDouble() const;
};

// kInvalidArgument quotes the text.
Result<Quantity> ParseQuantity(std::string_view text);

}  // namespace prewarm::controller::demand
