#include "agent/cache/random_uuid.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/random.h>

#include <array>
#include <cstdint>

namespace prewarm::agent {

std::string RandomUuid() {
  std::array<std::uint8_t, 16> bytes{};
  while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
  }
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);  // version
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);  // variant
  std::string text = fmt::format("{:02x}", fmt::join(bytes, ""));
  for (const std::size_t dash : {8UL, 13UL, 18UL, 23UL}) text.insert(dash, "-");
  return text;
}

}  // namespace prewarm::agent
