// OpenSSL's objects as owning pointers, and the one AEAD operation that secrets and blocks share.
// Private to this folder.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <cstddef>
#include <memory>
#include <span>

namespace prewarm::juicefs {

template <auto kFree>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using OpensslBio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using OpensslKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using OpensslKeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using OpensslCipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;

// Takes back what failed calls leave in the thread's error queue: a TLS connection that shares the
// thread would take it for its own failure.
class ErrorQueueMark {
 public:
  ErrorQueueMark() { ERR_set_mark(); }
  ErrorQueueMark(const ErrorQueueMark&) = delete;
  ErrorQueueMark& operator=(const ErrorQueueMark&) = delete;
  ~ErrorQueueMark() { ERR_pop_to_mark(); }
};

inline constexpr std::size_t kAeadNonceBytes = 12;
inline constexpr std::size_t kAeadTagBytes = 16;

// Opens ciphertext ‖ tag without associated data into `plain`, which is as long as the ciphertext
// and either starts where it starts or does not overlap it. False if the tag does not agree: what
// stands in `plain` is then meaningless and must be thrown away. Thread-safe.
bool OpenAead(const EVP_CIPHER* cipher, std::span<const std::byte> key,
              std::span<const std::byte> nonce, std::span<const std::byte> sealed,
              std::span<std::byte> plain);

inline const unsigned char* Octets(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
inline unsigned char* Octets(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

}  // namespace prewarm::juicefs
