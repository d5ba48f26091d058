// The parameters behind the "?" read strictly: each at most once, none that is not known. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/http_target.h"
#include "controller/api/prewarm_service.h"
#include "controller/api/spec_rules.h"

namespace prewarm::controller {

class QueryFields {
 public:
  // Both outlive this.
  QueryFields(const net::HttpTarget& target, FieldProblems& problems);

  std::optional<std::string> Text(std::string_view name);
  // page_size and page_token.
  PageRequest Page(PageLimits limits);
  // volume and state.
  PrewarmFilter Filter();
  // After all others: tells of the parameters that none has asked for.
  void Finish();

 private:
  const net::HttpTarget& target_;
  FieldProblems& problems_;
  std::vector<std::string> known_;  // asked for
};

}  // namespace prewarm::controller
