// Secrets that a volume's settings keep sealed under the volume's UUID. This hides them from a
// casual reader of the database, no more: whoever has the settings has the UUID too.
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "common/juicefs/openssl.h"
#include "common/juicefs/volume_settings.h"

namespace prewarm::juicefs {
namespace {

constexpr std::size_t kMd5Bytes = 16;

// Empty where the text is not base64 of anything. Damage that this lets pass fails the seal's tag.
std::vector<std::byte> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > std::numeric_limits<int>::max()) return {};
  std::vector<std::byte> bytes(text.size() / 4 * 3);
  const ErrorQueueMark mark;
  const int decoded =
      EVP_DecodeBlock(Octets(bytes.data()), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  if (decoded < 0) return {};
  bytes.resize(static_cast<std::size_t>(decoded));
  // OpenSSL decodes padding as zero bytes.
  for (; text.ends_with('=') && !bytes.empty(); text.remove_suffix(1)) bytes.pop_back();
  return bytes;
}

}  // namespace

Result<Secret> OpenSecret(std::string_view base64, std::string_view uuid) {
  const Error damaged =
      Fail(ErrorCode::kCorrupt, "a secret of the volume does not open", Reason::kDecryption);
  const std::vector<std::byte> bytes = DecodeBase64(base64);
  if (bytes.size() < kAeadNonceBytes + kAeadTagBytes) return damaged;
  std::array<std::byte, kMd5Bytes> key;
  if (EVP_Digest(uuid.data(), uuid.size(), Octets(key.data()), nullptr, EVP_md5(), nullptr) != 1) {
    return Fail(ErrorCode::kInternal, "this machine's OpenSSL offers no MD5");
  }
  const auto all = std::span(bytes);
  const auto sealed = all.subspan(kAeadNonceBytes);
  std::string text(sealed.size() - kAeadTagBytes, '\0');
  if (!OpenAead(EVP_aes_128_gcm(), key, all.first(kAeadNonceBytes), sealed,
                std::as_writable_bytes(std::span(text)))) {
    return damaged;
  }
  return Secret(std::move(text));
}

}  // namespace prewarm::juicefs
