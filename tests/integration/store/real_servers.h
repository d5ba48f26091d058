// Real servers that hold objects: versitygw, which checks signatures, and nginx, which is fast.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/rig/certificates.h"
#include "tests/rig/child_process.h"
#include "tests/rig/source_dir.h"
#include "tests/rig/temp_dir.h"

namespace prewarm::rig {

// Buckets are folders in objects().
class VersityGateway {
 public:
  static constexpr auto kAccessKey = "the-access-key";
  static constexpr auto kSecretKey = "the-secret-key";

  explicit VersityGateway(const std::optional<KeyPair>& tls = {}) : port(FreePort()) {
    std::filesystem::create_directories(objects() / "models");
    std::filesystem::create_directory(folder_ / "attributes");
    std::vector<std::string> argv{Program(), "--port", "127.0.0.1:" + std::to_string(port)};
    if (tls) argv.insert(argv.end(), {"--cert", tls->certificate_file, "--key", tls->key_file});
    // Attributes in files of their own: temporary folders may lie where there are no extended ones.
    argv.insert(argv.end(), {"posix", "--sidecar", folder_ / "attributes", objects().string()});
    server_ = std::make_unique<ChildProcess>(
        argv, folder_ / "log",
        std::vector<std::string>{std::string("ROOT_ACCESS_KEY=") + kAccessKey,
                                 std::string("ROOT_SECRET_KEY=") + kSecretKey});
    if (!WaitFor([this] { return AcceptsConnections(port); })) {
      throw std::runtime_error(argv[0] + " does not start: " + server_->Log());
    }
  }

  [[nodiscard]] std::filesystem::path objects() const { return folder_.path() / "objects"; }
  const std::uint16_t port;

 private:
  // Installed by tests/deps.
  static std::string Program() {
    if (const char* tools = std::getenv("PREWARM_TEST_TOOLS")) {
      return (std::filesystem::path(tools) / "versitygw").string();
    }
    return (SourceDir() / "build/tools/bin/versitygw").string();
  }

  TempDir folder_;
  std::unique_ptr<ChildProcess> server_;
};

// Serves /models/… out of objects(); writes the number of the connection for each request.
class Nginx {
 public:
  // `ssl` are directives, empty for plain HTTP.
  explicit Nginx(const std::string& ssl = "") : port(FreePort()) {
    const std::string root = folder_.path().string();
    std::filesystem::create_directories(objects() / "models");
    std::ofstream(folder_ / "nginx.conf")
        << "daemon off; master_process off; pid " << root << "/pid;\n"
        << "error_log " << root << "/error.log; events { worker_connections 64; }\n"
        << "http { log_format connection '$connection'; access_log " << root
        << "/connections.log connection; sendfile on;\n"
        << "client_body_temp_path " << root << "/b; proxy_temp_path " << root << "/p;\n"
        << "fastcgi_temp_path " << root << "/f; uwsgi_temp_path " << root << "/u;\n"
        << "scgi_temp_path " << root << "/s;\n"
        << "server { listen 127.0.0.1:" << port << (ssl.empty() ? "" : " ssl") << "; " << ssl
        << " root " << objects().string() << "; } }\n";
    server_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{"/usr/sbin/nginx", "-e", folder_ / "error.log", "-c",
                                 folder_ / "nginx.conf"},
        folder_ / "log");
    if (!WaitFor([this] { return AcceptsConnections(port); })) {
      throw std::runtime_error("nginx does not start: " + server_->Log());
    }
  }

  [[nodiscard]] std::filesystem::path objects() const { return folder_.path() / "objects"; }
  [[nodiscard]] std::vector<std::string> Connections() const {
    std::ifstream log(folder_ / "connections.log");
    std::vector<std::string> lines;
    for (std::string line; std::getline(log, line);) lines.push_back(line);
    return lines;
  }
  const std::uint16_t port;

 private:
  TempDir folder_;
  std::unique_ptr<ChildProcess> server_;
};

}  // namespace prewarm::rig
