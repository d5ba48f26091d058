// The text of openapi.yaml, put into the program when it is built.
#pragma once

#include <string_view>

namespace prewarm::controller {

std::string_view OpenApiDocument();

}  // namespace prewarm::controller
