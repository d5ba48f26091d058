// A regular file of a volume as the slices that a reader of it sees.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/juicefs/block.h"
#include "common/juicefs/slice.h"

namespace prewarm::juicefs {

struct FileSlices {
  std::string path;  // from the root of the volume (or of --subdir), without a leading "/"
  Inode inode;
  std::uint64_t length = 0;
  // What is visible of the file, chunk after chunk, holes left out; positions are inside the chunk.
  std::vector<SliceRecord> segments;
};

}  // namespace prewarm::juicefs
