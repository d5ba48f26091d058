#include "controller/demand/warm_label.h"

#include <cstdint>

namespace prewarm::controller::demand {
namespace {

constexpr std::size_t kLongestName = 63;

// FNV-1a, because the name must be the same in every version and on every machine.
std::string HashOf(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (int shift = 60; shift >= 32; shift -= 4) hex += kDigits[(hash >> shift) & 15];
  return hex;
}

}  // namespace

std::string WarmLabel(std::string_view name_space, std::string_view deployment) {
  std::string name = std::string(name_space) + "." + std::string(deployment);
  if (name.size() > kLongestName) {
    const auto hash = HashOf(name);
    name.resize(kLongestName - hash.size() - 1);
    name += "-" + hash;
  }
  return std::string(kWarmPrefix) + name;
}

}  // namespace prewarm::controller::demand
