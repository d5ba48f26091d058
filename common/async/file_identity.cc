#include "common/async/file_identity.h"

#include <sys/stat.h>

namespace prewarm {

std::string FileIdentity(std::span<const std::string> files) {
  std::string identity;
  for (const std::string& file : files) {
    struct stat about{};
    if (file.empty() || ::stat(file.c_str(), &about) != 0) {
      identity += "-;";
      continue;
    }
    identity += std::to_string(about.st_dev) + ',' + std::to_string(about.st_ino) + ',' +
                std::to_string(about.st_size) + ',' + std::to_string(about.st_mtim.tv_sec) + '.' +
                std::to_string(about.st_mtim.tv_nsec) + ';';
  }
  return identity;
}

}  // namespace prewarm
