#include "common/net/redis_codec.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace prewarm::net {
namespace {

// What the callbacks of hiredis need to know; reachable through redisReader::privdata.
struct Budget {
  std::size_t limit = 0;
  std::size_t elements = 0;
  bool exceeded = false;
};

// Puts the value where it belongs: into the array being read, or alone as the root. A pointer into
// the array's vector stays good as long as hiredis uses it: siblings come only after it is
// complete. Null makes hiredis stop with "out of memory".
void* Place(const redisReadTask* task, RedisReply reply) {
  auto* budget = static_cast<Budget*>(task->privdata);
  if (++budget->elements > budget->limit) {
    budget->exceeded = true;
    return nullptr;
  }
  if (task->parent == nullptr) return new RedisReply(std::move(reply));
  auto* array = static_cast<RedisReply*>(task->parent->obj);
  return &array->elements.emplace_back(std::move(reply));
}

void* CreateString(const redisReadTask* task, char* text, std::size_t length) {
  using Kind = RedisReply::Kind;
  const Kind kind = task->type == REDIS_REPLY_ERROR    ? Kind::kError
                    : task->type == REDIS_REPLY_STATUS ? Kind::kStatus
                                                       : Kind::kString;
  return Place(task,
               {.kind = kind, .text = std::string(text, length), .integer = 0, .elements = {}});
}

void* CreateArray(const redisReadTask* task, int elements) {
  constexpr int kTrusted = 16384;  // a promised length is not worth more memory than this
  RedisReply reply{.kind = RedisReply::Kind::kArray, .text = {}, .integer = 0, .elements = {}};
  reply.elements.reserve(static_cast<std::size_t>(std::clamp(elements, 0, kTrusted)));
  return Place(task, std::move(reply));
}

void* CreateInteger(const redisReadTask* task, long long value) {
  return Place(task,
               {.kind = RedisReply::Kind::kInteger, .text = {}, .integer = value, .elements = {}});
}

void* CreateNil(const redisReadTask* task) { return Place(task, {}); }

void FreeRoot(void* reply) { delete static_cast<RedisReply*>(reply); }

}  // namespace

void AppendRedisCommand(const RedisCommand& command, std::string& wire) {
  std::vector<const char*> words;
  std::vector<std::size_t> lengths;
  words.reserve(command.size());
  lengths.reserve(command.size());
  for (const std::string& word : command) {
    words.push_back(word.data());
    lengths.push_back(word.size());
  }
  char* formatted = nullptr;
  const int size = redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), words.data(),
                                          lengths.data());
  PREWARM_CHECK(size > 0, "hiredis cannot format a command only when memory has run out");
  wire.append(formatted, static_cast<std::size_t>(size));
  redisFreeCommand(formatted);
}

struct RedisReplyReader::Parser {
  explicit Parser(Limits l)
      : limits(l),
        functions{.createString = CreateString,
                  .createArray = CreateArray,
                  .createInteger = CreateInteger,
                  .createNil = CreateNil,
                  .freeObject = FreeRoot},
        reader(redisReaderCreateWithFunctions(&functions)) {
    PREWARM_CHECK(reader != nullptr, "out of memory");
    budget.limit = limits.elements;
    reader->privdata = &budget;
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() { redisReaderFree(reader); }

  [[nodiscard]] Error Broken() const {
    const std::string why =
        budget.exceeded ? "a reply has more than " + std::to_string(limits.elements) + " elements"
                        : std::string(reader->errstr);
    return Fail(ErrorCode::kCorrupt, "not a reply of a Redis server: " + why);
  }

  // Appends every reply that is complete now.
  Status Drain(std::vector<RedisReply>& replies) {
    for (;;) {
      void* complete = nullptr;
      if (redisReaderGetReply(reader, &complete) != REDIS_OK) return Broken();
      if (complete == nullptr) return {};
      const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(complete));
      replies.push_back(std::move(*reply));
      budget.elements = 0;
      unfinished_bytes = reader->len - reader->pos;
    }
  }

  Limits limits;
  Budget budget;
  redisReplyObjectFunctions functions;
  redisReader* reader;
  std::size_t unfinished_bytes = 0;  // taken since the last reply was complete
};

RedisReplyReader::RedisReplyReader() : RedisReplyReader(Limits()) {}
RedisReplyReader::RedisReplyReader(Limits limits) : parser_(std::make_unique<Parser>(limits)) {}
RedisReplyReader::~RedisReplyReader() = default;

Status RedisReplyReader::Feed(std::span<const std::byte> bytes, std::vector<RedisReply>& replies) {
  // hiredis moves what is left of its buffer to the front after every KiB of replies: small pieces
  // keep that cheap.
  constexpr std::size_t kPiece = 16U << 10;
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(kPiece, bytes.size()));
    bytes = bytes.subspan(piece.size());
    parser_->unfinished_bytes += piece.size();
    if (redisReaderFeed(parser_->reader, reinterpret_cast<const char*>(piece.data()),
                        piece.size()) != REDIS_OK) {
      return parser_->Broken();
    }
    TRY_STATUS(parser_->Drain(replies));
    if (parser_->unfinished_bytes > parser_->limits.reply_bytes) {
      return Fail(ErrorCode::kCorrupt, "a reply is longer than " +
                                           std::to_string(parser_->limits.reply_bytes) + " bytes");
    }
  }
  return {};
}

}  // namespace prewarm::net
