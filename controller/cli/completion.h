// Scripts that let a shell complete prewarmctl's words, made from the commands and options that the
// program has, so that they cannot fall behind.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "common/base/result.h"

namespace prewarm::ctl {

// kInvalidArgument for another shell than bash, zsh and fish.
Result<std::string> CompletionScript(const CLI::App& app, const std::string& shell);

}  // namespace prewarm::ctl
