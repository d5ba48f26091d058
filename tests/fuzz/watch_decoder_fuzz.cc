// The bytes of a watch: whatever comes, the same events are seen wherever the bytes are cut, and
// what is kept of them stays within the limit of a line.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <string>
#include <string_view>

#include "controller/kube/watch_decoder.h"
#include "tests/fuzz/fuzz_input.h"

// The first byte is the length of the pieces, the rest is the stream.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  using namespace prewarm::controller::kube;
  if (size < 1) return 0;
  const std::size_t length = std::max<std::size_t>(data[0], 1);
  std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto keep_in = [](std::string& seen) {
    return [&seen](WatchEventType type, const boost::json::object& object) {
      seen += std::to_string(static_cast<int>(type)) + boost::json::serialize(object) + "\n";
      return Status();
    };
  };

  constexpr std::size_t kLineLimit = 4096;
  std::string seen_whole;
  WatchDecoder whole(kLineLimit);
  const auto at_once = whole.Feed(bytes, keep_in(seen_whole));
  std::string seen_cut;
  WatchDecoder cut(kLineLimit);
  Status in_pieces;
  for (; in_pieces && !bytes.empty(); bytes.remove_prefix(std::min(length, bytes.size()))) {
    in_pieces = cut.Feed(bytes.substr(0, length), keep_in(seen_cut));
  }
  fuzz::Claim(at_once.has_value() == in_pieces.has_value());
  fuzz::Claim(seen_whole == seen_cut);
  if (at_once) fuzz::Claim(whole.Finish().has_value() == cut.Finish().has_value());
  return 0;
}
