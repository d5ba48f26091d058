#include "common/process/live_lines.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace prewarm {
namespace {

constexpr auto kEraseToEndOfScreen = "\033[J";
constexpr auto kEraseToEndOfLine = "\033[K";

bool CanRedraw() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
}

winsize WindowSize(bool terminal) {
  winsize size{};
  if (!terminal || ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) size = {};
  return size;
}

// To the beginning of the first of the drawn lines; the cursor stands at the end of the last.
std::string ToTop(std::size_t drawn) {
  return drawn > 1 ? "\r\033[" + std::to_string(drawn - 1) + "A" : "\r";
}

}  // namespace

LiveLines::LiveLines() : terminal_(CanRedraw()) {}

std::size_t LiveLines::columns() const {
  const auto columns = WindowSize(terminal_).ws_col;
  return columns > 0 ? columns : 80;
}

std::size_t LiveLines::rows() const {
  const auto rows = WindowSize(terminal_).ws_row;
  return rows > 0 ? rows : 24;
}

void LiveLines::Draw(const std::vector<std::string>& lines) {
  if (!terminal_ || lines.empty()) return;
  // In one write, so that no half-drawn state is seen.
  std::string text = ToTop(drawn_);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += (i == 0 ? "" : "\n") + lines[i] + kEraseToEndOfLine;
  }
  text += kEraseToEndOfScreen;
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
  drawn_ = lines.size();
}

void LiveLines::Clear() {
  if (drawn_ == 0) return;
  std::fputs((ToTop(drawn_) + kEraseToEndOfScreen).c_str(), stderr);
  std::fflush(stderr);
  drawn_ = 0;
}

}  // namespace prewarm
