// Stored objects as the client makes them, made here with the libraries directly so that the codec
// is tested against something that shares no code with it.
#pragma once

#include <lz4.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <zstd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "common/juicefs/volume_settings.h"

namespace prewarm::juicefs {

inline void Require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

inline unsigned char* Raw(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}
inline const unsigned char* Raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

inline std::string Compressed(std::string_view plain, Compression compression) {
  std::string packed;
  if (compression == Compression::kLz4) {
    packed.resize(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(plain.size()))));
    packed.resize(static_cast<std::size_t>(LZ4_compress_default(plain.data(), packed.data(),
                                                                static_cast<int>(plain.size()),
                                                                static_cast<int>(packed.size()))));
  } else if (compression == Compression::kZstd) {
    packed.resize(ZSTD_compressBound(plain.size()));
    packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
  } else {
    packed = plain;
  }
  return packed;
}

// RSA-OAEP of `data_key` for the key in `pem`.
inline std::string Wrapped(std::string_view data_key, std::string_view pem,
                           std::string_view label = "keys", const EVP_MD* hash = EVP_sha256()) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  Require(key != nullptr, "test key");
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new(key.get(), nullptr), &EVP_PKEY_CTX_free);
  Require(EVP_PKEY_encrypt_init(context.get()) == 1, "init");
  Require(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) > 0, "padding");
  Require(EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), hash) > 0, "hash");
  Require(EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), hash) > 0, "mask hash");
  Require(
      EVP_PKEY_CTX_set0_rsa_oaep_label(context.get(), OPENSSL_memdup(label.data(), label.size()),
                                       static_cast<int>(label.size())) > 0,
      "label");
  std::string wrapped(static_cast<std::size_t>(EVP_PKEY_get_size(key.get())), '\0');
  std::size_t length = wrapped.size();
  Require(
      EVP_PKEY_encrypt(context.get(), Raw(wrapped), &length, Raw(data_key), data_key.size()) > 0,
      "wrap");
  return wrapped;
}

inline std::string Aead(std::string_view plain, const EVP_CIPHER* cipher, std::string_view data_key,
                        std::string_view nonce) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  std::string sealed(plain.size() + 16, '\0');
  int length = 0;
  Require(EVP_EncryptInit_ex(context.get(), cipher, nullptr, Raw(data_key), Raw(nonce)) == 1,
          "init");
  Require(EVP_EncryptUpdate(context.get(), Raw(sealed), &length, Raw(plain),
                            static_cast<int>(plain.size())) == 1,
          "encrypt");
  Require(EVP_EncryptFinal_ex(context.get(), Raw(sealed) + length, &length) == 1, "final");
  Require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16,
                              sealed.data() + plain.size()) == 1,
          "tag");
  return sealed;
}

inline std::string Random(std::size_t length) {
  std::string bytes(length, '\0');
  Require(RAND_bytes(Raw(bytes), static_cast<int>(length)) == 1, "random bytes");
  return bytes;
}

inline std::string Envelope(std::string_view wrapped, std::string_view nonce,
                            std::string_view sealed) {
  std::string object;
  object.push_back(static_cast<char>(wrapped.size() >> 8));
  object.push_back(static_cast<char>(wrapped.size()));
  object.push_back(static_cast<char>(nonce.size()));
  return object.append(wrapped).append(nonce).append(sealed);
}

inline std::string Encrypted(std::string_view plain, EncryptionAlgorithm algorithm,
                             std::string_view pem) {
  const EVP_CIPHER* cipher =
      algorithm == EncryptionAlgorithm::kAes256GcmRsa ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
  const std::string data_key = Random(32);
  const std::string nonce = Random(12);
  return Envelope(Wrapped(data_key, pem), nonce, Aead(plain, cipher, data_key, nonce));
}

}  // namespace prewarm::juicefs
