// A client's answer to a check: whatever comes, a count is within its bounds, and where the bytes
// are cut makes no difference.
#include <algorithm>
#include <string_view>

#include "agent/mount/check_reply.h"
#include "tests/fuzz/fuzz_input.h"

// The first byte is the length of the pieces, the rest is the answer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  using namespace prewarm::agent;
  if (size < 1) return 0;
  const std::size_t length = std::max<std::size_t>(data[0], 1);
  std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);

  CheckReply whole;
  const auto at_once = whole.Feed(bytes);
  CheckReply cut;
  Status in_pieces;
  for (; in_pieces && !bytes.empty(); bytes.remove_prefix(std::min(length, bytes.size()))) {
    in_pieces = cut.Feed(bytes.substr(0, length));
  }
  fuzz::Claim(at_once.has_value() == in_pieces.has_value());
  fuzz::Claim(whole.count() == cut.count());
  if (whole.count()) fuzz::Claim(whole.count()->missing_bytes <= whole.count()->total_bytes);
  return 0;
}
