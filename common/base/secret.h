// Text that must never be printed: it formats as ***, and only Reveal() gives it out, so that every
// use can be found by that word.
#pragma once

#include <ostream>
#include <string>
#include <utility>

namespace prewarm {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& Reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string text_;
};

}  // namespace prewarm
