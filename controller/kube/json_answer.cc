#include "controller/kube/json_answer.h"

#include <algorithm>
#include <boost/json/parse_options.hpp>

#include "common/base/units.h"
#include "controller/kube/json_access.h"

namespace prewarm::controller::kube {
namespace {

constexpr std::size_t kKeptText = 4_KiB;

boost::json::parse_options Options() {
  boost::json::parse_options options;
  options.max_depth = kMostJsonDepth;
  return options;
}

Error NotJson(const boost::system::error_code& error) {
  return Fail(ErrorCode::kCorrupt, "the answer is not JSON: " + error.message(),
              Reason::kNotAnObject);
}

}  // namespace

JsonAnswer::JsonAnswer(std::size_t limit) : limit_(limit), parser_({}, Options()) {}

Status JsonAnswer::Head(const AnswerHead& head) {
  is_json_ = head.content_type.starts_with("application/json");
  return {};
}

Status JsonAnswer::Feed(std::string_view piece) {
  size_ += piece.size();
  if (size_ > limit_) {
    return Fail(ErrorCode::kCorrupt, "the answer is longer than " + FormatBytes(limit_),
                Reason::kWrongLength);
  }
  if (!is_json_) {
    text_ += piece.substr(0, kKeptText - std::min(kKeptText, text_.size()));
    return {};
  }
  boost::system::error_code error;
  parser_.write({piece.data(), piece.size()}, error);
  if (error) return NotJson(error);
  return {};
}

Result<boost::json::value> JsonAnswer::Take() {
  if (size_ == 0) return boost::json::value();
  if (!is_json_) return boost::json::value(text_);
  boost::system::error_code error;
  parser_.finish(error);
  if (error) return NotJson(error);
  return parser_.release();
}

}  // namespace prewarm::controller::kube
