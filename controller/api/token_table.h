// Who may call, as a file says it: a line for each bearer token,
//
//   token,identity,namespace,verbs[,expires] ops-7f3c…,ci,team-a,get+create,2027-01-01T00:00:00Z
//
// with verbs of get, create, cancel and metrics joined by "+", and an RFC 3339 time. Empty lines
// and lines that begin with # do not count. Tokens are kept as SHA-256 only. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/api/authenticator.h"

namespace prewarm::controller {

class TokenTable {
 public:
  // kInvalidConfig: every line that is wrong, by its number and never by what it says; `name` is
  // the file's.
  static Result<TokenTable> Parse(std::string_view text, const std::string& name);

  // As Authenticator::Check. Takes as long whatever the token is.
  [[nodiscard]] ApiResult<Caller> Check(const AccessRequest& request, WallTime now) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  using Hash = std::array<unsigned char, 32>;
  struct Entry {
    Hash hash{};
    Caller caller;
    unsigned verbs = 0;  // a bit for each
    std::optional<WallTime> expires;
  };
  static Hash HashOf(std::string_view token);
  static unsigned BitOf(Verb verb) { return 1U << static_cast<unsigned>(verb); }
  static Result<unsigned> ParseVerbs(std::string_view text);
  static Result<Entry> ParseLine(std::string_view line);
  [[nodiscard]] const Entry* Find(const Hash& hash) const;

  std::vector<Entry> entries_;
};

}  // namespace prewarm::controller
