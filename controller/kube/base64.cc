#include "controller/kube/base64.h"

#include <openssl/evp.h>

namespace prewarm::controller::kube {

Result<std::string> DecodeBase64(std::string_view text) {
  std::string packed;
  for (const char c : text) {
    if (c != '\n' && c != '\r' && c != ' ') packed += c;
  }
  std::string bytes(packed.size() / 4 * 3, '\0');
  const auto* in = reinterpret_cast<const unsigned char*>(packed.data());
  auto* out = reinterpret_cast<unsigned char*>(bytes.data());
  const bool whole = packed.size() % 4 == 0;
  if (!whole || EVP_DecodeBlock(out, in, static_cast<int>(packed.size())) < 0) {
    return Fail(ErrorCode::kInvalidConfig, "not base64");
  }
  for (std::size_t end = packed.size(); end > 0 && packed[end - 1] == '='; --end) bytes.pop_back();
  return bytes;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // it writes an end of its own
  const auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
  auto* out = reinterpret_cast<unsigned char*>(text.data());
  text.resize(static_cast<std::size_t>(EVP_EncodeBlock(out, in, static_cast<int>(bytes.size()))));
  return text;
}

}  // namespace prewarm::controller::kube
