#include "common/juicefs/block.h"

#include <array>
#include <charconv>
#include <system_error>

namespace prewarm::juicefs {
namespace {

// Text of bounded length, built on the stack: a key is needed for every block of every plan.
class KeyText {
 public:
  KeyText& operator<<(std::string_view text) {
    used_ += text.copy(buffer_.data() + used_, text.size());
    return *this;
  }
  KeyText& operator<<(std::uint64_t number) {
    const auto end = std::to_chars(buffer_.data() + used_, buffer_.data() + buffer_.size(), number);
    used_ = static_cast<std::size_t>(end.ptr - buffer_.data());
    return *this;
  }
  [[nodiscard]] std::string Text() const { return {buffer_.data(), used_}; }

 private:
  // "chunks/", three 64-bit and two 32-bit numbers of at most 20 and 10 digits, four separators.
  std::array<char, 7 + 3 * 20 + 2 * 10 + 4> buffer_;
  std::size_t used_ = 0;
};

// The next decimal number, without sign or leading zeros (a key has one spelling), and the
// separator after it. Leaves `rest` empty and answers false for anything else.
template <class Int>
bool TakeNumber(std::string_view& rest, Int& number, bool last) {
  const std::string_view text = rest;
  rest = {};
  if (text.empty() || (text.front() == '0' && text.size() > 1 && text[1] != '_')) return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  const std::string_view after = text.substr(static_cast<std::size_t>(end - text.data()));
  if (last) return after.empty();
  if (after.empty() || after.front() != '_') return false;
  rest = after.substr(1);
  return true;
}

}  // namespace

std::string BlockKey(BlockId block, bool hash_prefix) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const std::uint64_t id = block.slice.value;
  KeyText key;
  key << "chunks/";
  if (hash_prefix) {
    key << kHex.substr(id % 256 / 16, 1) << kHex.substr(id % 16, 1) << "/" << id / 1'000'000;
  } else {
    key << id / 1'000'000 << "/" << id / 1000;
  }
  key << "/" << id << "_" << std::uint64_t{block.index} << "_" << std::uint64_t{block.size};
  return key.Text();
}

std::optional<BlockId> ParseBlockName(std::string_view base_name) {
  BlockId block;
  std::string_view rest = base_name;
  if (!TakeNumber(rest, block.slice.value, false) || !TakeNumber(rest, block.index, false) ||
      !TakeNumber(rest, block.size, true)) {
    return std::nullopt;
  }
  // Slice 0 is the hole and has no blocks; no block is empty.
  if (block.slice.value == 0 || block.size == 0) return std::nullopt;
  return block;
}

}  // namespace prewarm::juicefs
