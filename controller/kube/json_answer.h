// The body of an answer, made into JSON while it arrives, so that a list of many megabytes is never
// held as a text as well. Texts that are not JSON, as proxies write them, are kept as a string.
#pragma once

#include <boost/json/stream_parser.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "controller/kube/http_exchange.h"

namespace prewarm::controller::kube {

class JsonAnswer {
 public:
  explicit JsonAnswer(std::size_t limit);

  Status Head(const AnswerHead& head);
  // kCorrupt: not JSON; with Reason::kWrongLength: longer than the limit.
  Status Feed(std::string_view piece);
  // kCorrupt: cut short.
  Result<boost::json::value> Take();

 private:
  const std::size_t limit_;
  std::size_t size_ = 0;
  bool is_json_ = false;
  boost::json::stream_parser parser_;
  std::string text_;
};

}  // namespace prewarm::controller::kube
