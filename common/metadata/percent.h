// Percent-encoding as URLs use it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace prewarm::metadata {

// Nothing if a "%" is not followed by two hex digits. "+" stays as it is.
std::optional<std::string> PercentDecode(std::string_view text);

}  // namespace prewarm::metadata
