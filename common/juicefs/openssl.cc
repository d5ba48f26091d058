#include "common/juicefs/openssl.h"

#include <algorithm>
#include <array>
#include <limits>

namespace prewarm::juicefs {

bool OpenAead(const EVP_CIPHER* cipher, std::span<const std::byte> key,
              std::span<const std::byte> nonce, std::span<const std::byte> sealed,
              std::span<std::byte> plain) {
  if (sealed.size() < kAeadTagBytes || nonce.size() != kAeadNonceBytes ||
      sealed.size() > std::numeric_limits<int>::max() ||
      key.size() != static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher)) ||
      plain.size() != sealed.size() - kAeadTagBytes) {
    return false;
  }
  const ErrorQueueMark mark;
  std::array<std::byte, kAeadTagBytes> tag;  // OpenSSL takes it through a pointer to non-const
  std::ranges::copy(sealed.last(kAeadTagBytes), tag.begin());
  const OpensslCipherContext context(EVP_CIPHER_CTX_new());
  int length = 0;
  return context != nullptr &&
         EVP_DecryptInit_ex2(context.get(), cipher, Octets(key.data()), Octets(nonce.data()),
                             nullptr) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, tag.data()) ==
             1 &&
         EVP_DecryptUpdate(context.get(), Octets(plain.data()), &length, Octets(sealed.data()),
                           static_cast<int>(plain.size())) == 1 &&
         EVP_DecryptFinal_ex(context.get(), Octets(plain.data()) + length, &length) == 1;
}

}  // namespace prewarm::juicefs
