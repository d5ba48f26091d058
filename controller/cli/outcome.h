// How a prewarm stands, as what a script may rely on. Pure.
#pragma once

#include <prewarm/v1/prewarm.pb.h>

#include <string>

#include "common/base/error.h"

namespace prewarm::ctl {

enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,
  kExitWrongUse = 2,
  kExitPartly = 3,  // some nodes have it, others do not
};

// Nothing more is waited for: it has ended, or is warm and kept so.
bool IsSettled(const v1::Prewarm& prewarm);
// Of a settled one.
ExitCode ExitCodeOf(const v1::Prewarm& prewarm);
ExitCode ExitCodeOf(const Error& error);

// "running", "superseded"; also what this version does not know has a word.
std::string StateWord(v1::PrewarmState state);
// PREWARM_STATE_UNSPECIFIED: no such state.
v1::PrewarmState StateNamed(const std::string& word);

}  // namespace prewarm::ctl
