// A certificate authority of a test's own, and certificates that it signs: PEM files in a folder,
// made by the openssl program.
#pragma once

#include <filesystem>
#include <string>

namespace prewarm::rig {

struct KeyPair {
  std::string certificate_file;
  std::string key_file;
};

class CertificateAuthority {
 public:
  // The folder stays the caller's; names in it are given by Issue.
  explicit CertificateAuthority(const std::filesystem::path& folder);
  [[nodiscard]] const std::string& ca_file() const { return authority_.certificate_file; }

  // For servers and clients alike; `names` as openssl's subjectAltName:
  // "IP:127.0.0.1,DNS:localhost". Days below zero: expired.
  KeyPair Issue(const std::string& file_name, const std::string& names, int days = 2);

 private:
  std::filesystem::path folder_;
  KeyPair authority_;
};

}  // namespace prewarm::rig
