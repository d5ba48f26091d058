#include "controller/api/tokens.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/async/deadline.h"
#include "common/async/file_identity.h"
#include "common/async/offload.h"

namespace prewarm::controller {
namespace {

constexpr std::size_t kMostBytes = 1U << 20;

Result<std::string> ReadAll(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoError(errno, file);
  std::string text;
  std::array<char, 16384> piece{};
  ssize_t size = 0;
  while (text.size() <= kMostBytes && (size = ::read(fd, piece.data(), piece.size())) > 0) {
    text.append(piece.data(), static_cast<std::size_t>(size));
  }
  const int error = errno;
  ::close(fd);
  if (size < 0) return ErrnoError(error, file);
  if (text.size() > kMostBytes) return Fail(ErrorCode::kInvalidConfig, file + " is over 1 MiB");
  return text;
}

Result<std::shared_ptr<const TokenTable>> ReadTable(const std::string& file) {
  auto text = ReadAll(file);
  if (!text) return Fail(ErrorCode::kInvalidConfig, text.error().message);
  TRY(auto table, TokenTable::Parse(*text, file));
  return std::make_shared<const TokenTable>(std::move(table));
}

}  // namespace

// Looked at before it is read: a change in between is found by the next look.
Tokens::Look Tokens::LookAt(const std::string& file, const std::string& seen_before) {
  Look look{FileIdentity(std::span(&file, 1))};
  if (look.seen != seen_before) look.table = ReadTable(file);
  return look;
}

Tokens::Tokens(std::string file, const Clock& clock, Look look)
    : file_(std::move(file)),
      clock_(clock),
      seen_(std::move(look.seen)),
      table_(*std::move(look.table)) {}

Result<std::unique_ptr<Tokens>> Tokens::Load(std::string file, const Clock& clock) {
  auto look = LookAt(file, "");
  if (!look.table) return look.table.error();
  return std::unique_ptr<Tokens>(new Tokens(std::move(file), clock, std::move(look)));
}

std::optional<ApiResult<Caller>> Tokens::Check(const AccessRequest& request) const {
  const auto table = table_.With([](const TablePointer& current) { return current; });
  return table->Check(request, clock_.WallNow());
}

Task<void> Tokens::Follow(boost::asio::thread_pool& pool, Duration period, OnReload on_reload) {
  while (co_await SleepFor(period)) {
    auto look =
        co_await Offload(pool, [file = file_, before = seen_] { return LookAt(file, before); });
    if (look.seen == seen_) continue;
    seen_ = std::move(look.seen);
    if (look.table) table_.With([&look](TablePointer& current) { current = *look.table; });
    if (on_reload) on_reload(look.table ? Status() : Status(look.table.error()));
  }
}

}  // namespace prewarm::controller
