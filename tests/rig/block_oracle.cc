#include "tests/rig/block_oracle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

namespace prewarm::rig {
namespace {

constexpr std::size_t kPiece = 32768;

using Castagnoli = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

std::uint64_t Mix(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

template <class Int>
bool Number(std::string_view text, Int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string ReadWhole(int fd, std::vector<std::byte>& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got <= 0) return got == 0 ? "ends early" : std::strerror(errno);
    done += static_cast<std::size_t>(got);
  }
  return {};
}

}  // namespace

void FillOracleBytes(OracleBlock block, std::span<std::byte> data) {
  std::uint64_t state = Mix(block.slice * 0x9e3779b97f4a7c15ULL + block.index) ^ Mix(block.size);
  for (std::size_t i = 0; i < data.size(); i += 8) {
    state += 0x9e3779b97f4a7c15ULL;
    const std::uint64_t word = Mix(state);
    std::memcpy(data.data() + i, &word, std::min<std::size_t>(8, data.size() - i));
  }
}

std::vector<std::byte> OracleBytes(OracleBlock block) {
  std::vector<std::byte> data(block.size);
  FillOracleBytes(block, data);
  return data;
}

std::vector<std::byte> OracleFile(OracleBlock block) {
  std::vector<std::byte> file = OracleBytes(block);
  for (std::size_t at = 0; at < block.size; at += kPiece) {
    Castagnoli crc;
    crc.process_bytes(file.data() + at, std::min(kPiece, block.size - at));
    for (int shift = 24; shift >= 0; shift -= 8) {
      file.push_back(static_cast<std::byte>(crc.checksum() >> shift));
    }
  }
  return file;
}

std::optional<OracleBlock> ParseOracleName(const std::string& name) {
  const std::size_t first = name.find('_');
  const std::size_t second = name.find('_', first + 1);
  if (first == std::string::npos || second == std::string::npos) return std::nullopt;
  OracleBlock block;
  const std::string_view text(name);
  if (!Number(text.substr(0, first), block.slice)) return std::nullopt;
  if (!Number(text.substr(first + 1, second - first - 1), block.index)) return std::nullopt;
  if (!Number(text.substr(second + 1), block.size)) return std::nullopt;
  return block;
}

std::filesystem::path OraclePath(const std::filesystem::path& volume, OracleBlock block) {
  return volume / "raw" / "chunks" / std::to_string(block.slice / 1000000) /
         std::to_string(block.slice / 1000) /
         (std::to_string(block.slice) + "_" + std::to_string(block.index) + "_" +
          std::to_string(block.size));
}

std::string WrongWithBlock(const std::filesystem::path& file, const Expected& expected) {
  const auto block = ParseOracleName(file.filename().string());
  if (!block) return "no block name";
  const int fd = ::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? std::string() : std::strerror(errno);
  struct stat status{};
  ::fstat(fd, &status);
  std::string wrong;
  const std::vector<std::byte> right = OracleFile(*block);
  if (!S_ISREG(status.st_mode)) {
    wrong = "not a regular file";
  } else if (status.st_nlink > 1) {
    wrong = "link count " + std::to_string(status.st_nlink);
  } else if (static_cast<std::size_t>(status.st_size) != right.size()) {
    wrong =
        "size " + std::to_string(status.st_size) + " instead of " + std::to_string(right.size());
  } else if ((status.st_mode & 07777) != expected.mode) {
    wrong = "mode " + std::to_string(status.st_mode & 07777);
  } else if (status.st_uid != expected.uid || status.st_gid != expected.gid) {
    wrong = "owner " + std::to_string(status.st_uid) + ":" + std::to_string(status.st_gid);
  } else {
    std::vector<std::byte> bytes(right.size());
    wrong = ReadWhole(fd, bytes);
    if (wrong.empty() && bytes != right) wrong = "other bytes";
  }
  ::close(fd);
  return wrong;
}

TreeReport CheckVolumeTree(const std::filesystem::path& volume, const Expected& expected,
                           bool private_files_are_strays) {
  namespace fs = std::filesystem;
  TreeReport report;
  std::error_code error;
  fs::recursive_directory_iterator walk(volume, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    const fs::path& path = walk->path();
    std::error_code gone;
    if (fs::is_directory(fs::symlink_status(path, gone))) continue;
    const fs::path inside = path.lexically_relative(volume);
    const std::string top = inside.begin()->string();
    if (top == ".lock") continue;
    if (top == ".prewarm" && !private_files_are_strays) continue;
    const auto block = ParseOracleName(path.filename().string());
    if (top != "raw" || !block || path != OraclePath(volume, *block)) {
      report.strays.push_back(inside.string());
      continue;
    }
    ++report.blocks;
    if (auto wrong = WrongWithBlock(path, expected); !wrong.empty()) {
      report.violations.push_back(inside.string() + ": " + wrong);
    }
  }
  return report;
}

}  // namespace prewarm::rig
