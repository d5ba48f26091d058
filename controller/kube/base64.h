// Bytes as Kubernetes writes them into JSON and YAML. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace prewarm::controller::kube {

// Line ends and spaces are allowed, as some tools make them. kInvalidConfig; the text is not in the
// message.
Result<std::string> DecodeBase64(std::string_view text);
std::string EncodeBase64(std::string_view bytes);

}  // namespace prewarm::controller::kube
