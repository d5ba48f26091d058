#include "common/metadata/chunk_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/juicefs/slice.h"

namespace prewarm::metadata {
namespace {

using juicefs::FileSlices;
using juicefs::kChunkBytes;

constexpr std::size_t kWindow = 8192;  // chunks

// Goes through the chunks of all files in order.
class ChunkCursor {
 public:
  explicit ChunkCursor(std::span<FileSlices> files) : files_(files) { SkipCompleteFiles(); }

  [[nodiscard]] bool AtEnd() const { return file_ == files_.size(); }
  [[nodiscard]] std::size_t complete_files() const { return file_; }
  [[nodiscard]] FileSlices& file() const { return files_[file_]; }
  [[nodiscard]] std::uint64_t chunk() const { return chunk_; }
  [[nodiscard]] std::uint64_t chunk_length() const {
    return std::min(kChunkBytes, file().length - chunk_ * kChunkBytes);
  }
  void Advance() {
    ++chunk_;
    SkipCompleteFiles();
  }

 private:
  void SkipCompleteFiles() {
    while (!AtEnd() && chunk_ * kChunkBytes >= file().length) {
      ++file_;
      chunk_ = 0;
    }
  }

  std::span<FileSlices> files_;
  std::size_t file_ = 0;
  std::uint64_t chunk_ = 0;
};

Status AppendVisible(const net::RedisReply& list, const ChunkCursor& at) {
  std::vector<juicefs::SliceRecord> records;
  records.reserve(list.elements.size());
  for (const net::RedisReply& element : list.elements) {
    auto record = juicefs::ParseSliceRecord(element.text);
    if (!record) {
      return std::move(record).error().Within("chunk " + std::to_string(at.chunk()) + " of /" +
                                              Printable(at.file().path) + " (inode " +
                                              std::to_string(at.file().inode.value) + ")");
    }
    records.push_back(*record);
  }
  const auto visible = juicefs::VisibleSegments(records, at.chunk_length());
  auto& segments = at.file().segments;
  segments.insert(segments.end(), visible.begin(), visible.end());
  return {};
}

}  // namespace

Task<Status> ReadChunks(RedisClient& redis, VolumeKeys keys, std::span<FileSlices> files,
                        std::function<void(std::size_t)> on_window) {
  ChunkCursor ask(files);
  ChunkCursor fill(files);
  while (!ask.AtEnd()) {
    std::vector<RedisCommand> commands;
    for (; !ask.AtEnd() && commands.size() < kWindow; ask.Advance()) {
      commands.push_back({"LRANGE", keys.Chunk(ask.file().inode, ask.chunk()), "0", "-1"});
    }
    CO_TRY(const auto lists, co_await Read(redis, std::move(commands)));
    for (const net::RedisReply& list : lists) {
      CO_TRY_STATUS(AppendVisible(list, fill));
      fill.Advance();
    }
    on_window(fill.complete_files());
  }
  co_return Status();
}

}  // namespace prewarm::metadata
