// A second opinion on cached blocks that shares no code with the product: what a block's bytes are
// (computed from its id, so that any process can check them) and whether a file is that block.
// CRC by Boost.CRC; names and layout parsed here again.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace prewarm::rig {

struct OracleBlock {
  std::uint64_t slice = 0;
  std::uint32_t index = 0;
  std::uint32_t size = 0;
};

// Pseudo-random bytes that depend on all of the id.
void FillOracleBytes(OracleBlock block, std::span<std::byte> data);
std::vector<std::byte> OracleBytes(OracleBlock block);
// data + trailer, by the slow and obvious way.
std::vector<std::byte> OracleFile(OracleBlock block);

std::optional<OracleBlock> ParseOracleName(const std::string& name);
// "<volume>/raw/chunks/…", without hash prefix.
std::filesystem::path OraclePath(const std::filesystem::path& volume, OracleBlock block);

struct Expected {
  mode_t mode = 0600;
  uid_t uid = 0;
  gid_t gid = 0;
};
// Empty if the file is the block that its name says, whole, alone and ours; else what is wrong.
// A file that vanishes meanwhile is fine.
std::string WrongWithBlock(const std::filesystem::path& file, const Expected& expected);

struct TreeReport {
  std::size_t blocks = 0;
  std::vector<std::string> violations;  // blocks that are not what their name says
  std::vector<std::string> strays;      // names that neither the client nor a publisher may leave
};
// Looks at everything under <dir>/<UUID>. Strays in the private folder count only if asked for.
TreeReport CheckVolumeTree(const std::filesystem::path& volume, const Expected& expected,
                           bool private_files_are_strays = true);

}  // namespace prewarm::rig
