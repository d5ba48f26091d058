// A chunk's slice list: whatever is accepted overlays to disjoint ascending segments inside the
// file, each inside its slice, and every block that they need exists.
#include <algorithm>
#include <vector>

#include "common/juicefs/slice.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  using namespace prewarm::juicefs;
  std::string_view text = fuzz::AsText(data, size);
  std::uint64_t length = 0;
  for (int i = 0; i < 4 && !text.empty(); ++i, text.remove_prefix(1)) {
    length = length << 8 | static_cast<unsigned char>(text.front());
  }
  std::vector<SliceRecord> records;
  for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(24, text.size()))) {
    if (const auto record = ParseSliceRecord(text.substr(0, 24))) records.push_back(*record);
  }
  std::uint64_t end = 0;
  for (const SliceRecord& segment : VisibleSegments(records, length)) {
    fuzz::Claim(segment.position >= end && segment.length > 0 && segment.id.value != 0);
    end = std::uint64_t{segment.position} + segment.length;
    fuzz::Claim(end <= std::min(length, kChunkBytes));
    fuzz::Claim(std::uint64_t{segment.offset} + segment.length <= segment.size);
    const BlockRange blocks = BlocksOf(segment, 4 << 20);
    fuzz::Claim(blocks.first <= blocks.last);
    fuzz::Claim(BlockOf(blocks.slice, blocks.slice_size, blocks.last, 4 << 20).size > 0);
  }
  return 0;
}
