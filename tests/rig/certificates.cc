#include "tests/rig/certificates.h"

#include <fstream>
#include <vector>

#include "common/base/check.h"
#include "tests/rig/child_process.h"

namespace prewarm::rig {
namespace {

void OpenSsl(const std::filesystem::path& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "openssl");
  ChildProcess openssl(std::move(arguments), (folder / "openssl.log").string());
  PREWARM_CHECK(openssl.Wait() == 0, openssl.Log().c_str());
}

}  // namespace

CertificateAuthority::CertificateAuthority(const std::filesystem::path& folder)
    : folder_(folder), authority_{(folder / "ca.pem").string(), (folder / "ca.key").string()} {
  OpenSsl(folder_, {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-subj", "/CN=test authority", "-days", "2", "-keyout",
                    authority_.key_file, "-out", authority_.certificate_file});
}

KeyPair CertificateAuthority::Issue(const std::string& file_name, const std::string& names,
                                    int days) {
  const std::string base = (folder_ / file_name).string();
  const KeyPair pair{base + ".pem", base + ".key"};
  std::ofstream(base + ".ext") << "subjectAltName=" << names << "\n";
  OpenSsl(folder_, {"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=" + file_name, "-keyout", pair.key_file, "-out", base + ".csr"});
  OpenSsl(folder_, {"x509", "-req", "-in", base + ".csr", "-CA", authority_.certificate_file,
                    "-CAkey", authority_.key_file, "-CAcreateserial", "-days", std::to_string(days),
                    "-extfile", base + ".ext", "-out", pair.certificate_file});
  return pair;
}

}  // namespace prewarm::rig
