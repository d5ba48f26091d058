#include "common/juicefs/private_key.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace prewarm::juicefs {
namespace {

constexpr std::string_view kOaepLabel = "keys";

// OpenSSL asks for the passphrase when it meets a protected key. Without a callback of ours it
// would prompt on the terminal.
struct PassphrasePrompt {
  const Secret* passphrase;
  bool asked = false;

  static int Answer(char* buffer, int room, int /*for_writing*/, void* user) {
    auto& prompt = *static_cast<PassphrasePrompt*>(user);
    prompt.asked = true;
    const std::string& text = prompt.passphrase->Reveal();
    if (text.empty() || text.size() > static_cast<std::size_t>(room)) return -1;
    std::ranges::copy(text, buffer);
    return static_cast<int>(text.size());
  }
};

Error UnreadableKey(const PassphrasePrompt& prompt) {
  if (!prompt.asked) {
    return Fail(ErrorCode::kInvalidArgument,
                "the volume's EncryptKey is not a private key in PEM form that can be read");
  }
  if (prompt.passphrase->empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the volume's private key is protected by a passphrase: set JFS_RSA_PASSPHRASE");
  }
  return Fail(ErrorCode::kInvalidArgument,
              "the volume's private key does not open with the passphrase of JFS_RSA_PASSPHRASE");
}

bool SetOaepLabel(EVP_PKEY_CTX* context) {
  void* label = OPENSSL_memdup(kOaepLabel.data(), kOaepLabel.size());
  if (label == nullptr) return false;
  // Takes the label over, but only where it succeeds.
  if (EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, static_cast<int>(kOaepLabel.size())) > 0) {
    return true;
  }
  OPENSSL_free(label);
  return false;
}

OpensslKeyContext OaepContext(EVP_PKEY* key) {
  OpensslKeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  if (context != nullptr && EVP_PKEY_decrypt_init(context.get()) > 0 &&
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) > 0 &&
      EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()) > 0 &&
      EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha256()) > 0 &&
      SetOaepLabel(context.get())) {
    return context;
  }
  return nullptr;
}

}  // namespace

Result<PrivateKey> PrivateKey::FromPem(const Secret& pem, const Secret& passphrase) {
  const ErrorQueueMark mark;
  const std::string& text = pem.Reveal();
  PassphrasePrompt prompt{&passphrase};
  if (text.size() > std::numeric_limits<int>::max()) return UnreadableKey(prompt);
  const OpensslBio source(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  OpensslKey key(
      PEM_read_bio_PrivateKey(source.get(), nullptr, &PassphrasePrompt::Answer, &prompt));
  if (key == nullptr) return UnreadableKey(prompt);
  if (EVP_PKEY_is_a(key.get(), "RSA") != 1) {
    return Fail(ErrorCode::kInvalidArgument, "the volume's private key is not an RSA key");
  }
  return PrivateKey(std::move(key));
}

std::size_t PrivateKey::WrappedBytes() const {
  return static_cast<std::size_t>(EVP_PKEY_get_size(key_.get()));
}

bool PrivateKey::Unwrap(std::span<const std::byte> wrapped, DataKey& data_key) const {
  const ErrorQueueMark mark;
  // The key is shared by all threads; a context belongs to one call.
  const OpensslKeyContext context = OaepContext(key_.get());
  if (context == nullptr) return false;
  std::vector<std::byte> unwrapped(WrappedBytes());  // OpenSSL wants room for a whole modulus
  std::size_t length = unwrapped.size();
  const bool opened = EVP_PKEY_decrypt(context.get(), Octets(unwrapped.data()), &length,
                                       Octets(wrapped.data()), wrapped.size()) > 0 &&
                      length == data_key.size();
  if (opened) std::copy_n(unwrapped.begin(), data_key.size(), data_key.begin());
  OPENSSL_cleanse(unwrapped.data(), unwrapped.size());
  return opened;
}

}  // namespace prewarm::juicefs
