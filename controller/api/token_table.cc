#include "controller/api/token_table.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "common/base/rfc3339.h"

namespace prewarm::controller {
namespace {

// Shorter ones are guessed.
constexpr std::size_t kLeastTokenBytes = 8;
constexpr std::size_t kMostTokenBytes = 4096;
// More problems than these help nobody.
constexpr std::size_t kMostProblems = 20;

constexpr std::array<std::pair<std::string_view, Verb>, 4> kVerbs{{{"get", Verb::kGet},
                                                                   {"create", Verb::kCreate},
                                                                   {"cancel", Verb::kCancel},
                                                                   {"metrics", Verb::kMetrics}}};

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const auto end = text.find(separator);
    pieces.push_back(Trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

// What RFC 6750 lets a client send.
bool CanBeSent(std::string_view token) {
  return std::ranges::all_of(token, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

Error Wrong(std::string why) { return Fail(ErrorCode::kInvalidConfig, std::move(why)); }

}  // namespace

TokenTable::Hash TokenTable::HashOf(std::string_view token) {
  Hash hash{};
  ::SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
  return hash;
}

Result<unsigned> TokenTable::ParseVerbs(std::string_view text) {
  unsigned verbs = 0;
  for (const auto word : Split(text, '+')) {
    const auto known = std::ranges::find(kVerbs, word, [](const auto& verb) { return verb.first; });
    if (known == kVerbs.end()) {
      return Wrong("the verbs are get, create, cancel and metrics, joined by +");
    }
    verbs |= BitOf(known->second);
  }
  return verbs;
}

Result<TokenTable::Entry> TokenTable::ParseLine(std::string_view line) {
  const auto fields = Split(line, ',');
  if (fields.size() < 4 || fields.size() > 5) {
    return Wrong("is not token,identity,namespace,verbs[,expires]");
  }
  if (fields[0].size() < kLeastTokenBytes || fields[0].size() > kMostTokenBytes) {
    return Wrong("a token has from 8 to 4096 characters");
  }
  if (!CanBeSent(fields[0])) return Wrong("a token is made of letters, digits and -._~+/=");
  if (fields[1].empty()) return Wrong("the identity is missing");
  if (fields[2].empty()) return Wrong("the namespace is missing");
  Entry entry;
  entry.hash = HashOf(fields[0]);
  entry.caller = {std::string(fields[1]), std::string(fields[2])};
  TRY(entry.verbs, ParseVerbs(fields[3]));
  if (fields.size() == 5) {
    const auto expires = ParseRfc3339(fields[4]);
    if (!expires) return Wrong("the expiry is not a time such as 2027-01-01T00:00:00Z");
    entry.expires = *expires;
  }
  return entry;
}

Result<TokenTable> TokenTable::Parse(std::string_view text, const std::string& name) {
  TokenTable table;
  std::string problems;
  std::size_t count = 0;
  std::size_t number = 0;
  const auto complain = [&](const std::string& why) {
    if (++count > kMostProblems) return;
    problems += (problems.empty() ? "" : "\n") + name + ":" + std::to_string(number) + ": " + why;
  };
  for (const auto line : Split(text, '\n')) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    auto entry = ParseLine(line);
    if (!entry) {
      complain(entry.error().message);
    } else if (table.Find(entry->hash) != nullptr) {
      complain("the token stands in a line before");
    } else {
      table.entries_.push_back(*std::move(entry));
    }
  }
  if (count > 0) return Wrong(std::move(problems));
  return table;
}

const TokenTable::Entry* TokenTable::Find(const Hash& hash) const {
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    if (::CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = &entry;
  }
  return found;
}

ApiResult<Caller> TokenTable::Check(const AccessRequest& request, WallTime now) const {
  const auto token = BearerToken(request.authorization);
  if (!token) return Refuse(NoToken());
  const Entry* entry = Find(HashOf(*token));
  if (entry == nullptr || (entry->expires && *entry->expires <= now)) {
    return Refuse(UnknownToken());
  }
  const auto verb = VerbOf(request.right);
  if ((entry->verbs & BitOf(verb)) == 0) {
    const auto word =
        std::ranges::find(kVerbs, verb, [](const auto& known) { return known.second; });
    return Refuse({ProblemKind::kForbidden,
                   "forbidden",
                   "The token does not carry the verb \"" + std::string(word->first) + "\".",
                   {},
                   {}});
  }
  if (!request.name_space.empty() && request.name_space != entry->caller.name_space) {
    return Refuse({ProblemKind::kForbidden,
                   "forbidden",
                   "The token is for the namespace \"" + entry->caller.name_space + "\" alone.",
                   {},
                   {}});
  }
  return entry->caller;
}

}  // namespace prewarm::controller
