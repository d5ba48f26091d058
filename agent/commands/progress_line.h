// The agent's progress is that of every program.
#pragma once

#include "common/process/progress_line.h"
