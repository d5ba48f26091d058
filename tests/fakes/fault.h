// What can go wrong with an answer of an object store, and which requests it happens to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prewarm::rig {

enum class FaultKind : std::uint8_t {
  kInternalError,    // 500
  kSlowDown,         // 503 as S3 says it
  kTooManyRequests,  // 429
  kAccessDenied,     // 403
  kNoSuchKey,        // 404 for the object
  kNoSuchBucket,     // 404 for the bucket
  kRedirect,         // 301 to a bucket in the region eu-west-7
  kReset,            // RST after `argument` bytes of the body
  kStall,            // silence after `argument` bytes of the body, for ever
  kCloseEarly,       // FIN after `argument` bytes of the body
  kLengthTooLong,    // Content-Length is `argument` more than the body, then FIN
  kLengthTooShort,   // Content-Length is `argument` less than the body; the rest follows anyway
  kLongerBody,       // `argument` bytes more than the object, and the length says so
  kShorterBody,      // `argument` bytes less than the object, and the length says so
  kChunked,          // chunked transfer encoding: no fault, but a way rarely seen
  kHtmlPage,         // a proxy's page with status 200
  kGzip,             // claims Content-Encoding: gzip
  kFlippedBit,       // bit `argument` of the body
  kOtherObject,      // the bytes of another object of the same size, if there is one
  kSlow,             // `argument` bytes a second
  kIgnoredRange,     // the whole object with 200 for a range
  kWrongRange,       // a Content-Range that is off by `argument`
};

struct Fault {
  FaultKind kind = FaultKind::kInternalError;
  std::optional<std::size_t> argument;  // absent: in the middle of the body, one byte, …
};

// "slow-down" and so on; nothing for an unknown name.
std::string_view FaultName(FaultKind kind);
std::optional<FaultKind> FaultNamed(std::string_view name);

struct SeenRequest {
  std::string path;                            // decoded: "/bucket/key"
  std::string target;                          // as sent
  std::map<std::string, std::string> headers;  // names in lower case
  std::size_t connection = 0;                  // which of the connections, in order of arrival
};

// Chooses the fault of a request: the first rule that applies. Not thread-safe.
class FaultPlan {
 public:
  using Predicate = std::function<bool(const SeenRequest&)>;

  explicit FaultPlan(std::uint64_t seed) : random_(seed) {}
  void When(Predicate predicate, Fault fault);
  void Sometimes(double probability, Fault fault);
  // A path that was hit once is spared from then on, so that a retry succeeds.
  void SpareAfterFirst() { spare_after_first_ = true; }

  std::optional<Fault> Choose(const SeenRequest& request);
  // How often each fault was chosen.
  [[nodiscard]] const std::map<FaultKind, std::size_t>& fired() const { return fired_; }

 private:
  struct Rule {
    Predicate predicate;  // empty: by chance
    double probability = 0;
    Fault fault;
  };
  std::mt19937_64 random_;
  std::vector<Rule> rules_;
  std::map<FaultKind, std::size_t> fired_;
  bool spare_after_first_ = false;
  std::set<std::string> hit_;
};

}  // namespace prewarm::rig
