// Stored objects: decompression stays inside the block whatever the object holds, and an encrypted
// object that was not made with the key never opens.
#include <array>
#include <vector>

#include "common/juicefs/block_codec.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/common/juicefs/real_volumes.h"

namespace prewarm::juicefs {
namespace {

BlockCodec CodecFor(Compression compression, bool encrypted) {
  VolumeSettings settings;
  settings.compression = compression;
  if (encrypted) settings.encrypt_key = Secret(std::string(real::kPkcs8Key));
  return *BlockCodec::Create(settings, Secret());
}

}  // namespace
}  // namespace prewarm::juicefs

// The first byte chooses the codec, the second the length of the block, the rest is the object. A
// run with RSA costs a millisecond, so few inputs choose it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prewarm;
  using namespace prewarm::juicefs;
  static const std::array<BlockCodec, 4> codecs{
      CodecFor(Compression::kNone, false), CodecFor(Compression::kLz4, false),
      CodecFor(Compression::kZstd, false), CodecFor(Compression::kZstd, true)};
  if (size < 2) return 0;
  const std::size_t choice = data[0] == 255 ? 3 : data[0] % 3;
  const auto object = std::as_bytes(std::span(data + 2, size - 2));
  std::vector<std::byte> scratch(object.begin(), object.end());
  std::vector<std::byte> plain(std::size_t{data[1]} * 16 + 1);
  const Status status = codecs[choice].Decode(scratch, plain);
  if (!status) {
    fuzz::Claim(status.error().code == ErrorCode::kCorrupt);
    fuzz::Claim(status.error().reason != Reason::kUnspecified);
  }
  if (choice == 0) fuzz::Claim(status.has_value() == (object.size() == plain.size()));
  if (choice == 3) fuzz::Claim(!status.has_value());
  return 0;
}
