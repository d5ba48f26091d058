// A few lines on stderr that are redrawn in place. Only for a terminal; elsewhere print plain
// lines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace prewarm {

class LiveLines {
 public:
  LiveLines();
  // Whether stderr is a terminal that can redraw.
  [[nodiscard]] bool terminal() const { return terminal_; }
  // What fits: of a terminal as it is now, else 80 by 24.
  [[nodiscard]] std::size_t columns() const;
  [[nodiscard]] std::size_t rows() const;

  // Puts these lines where the last ones are. Each must fit into the columns. Nothing without a
  // terminal.
  void Draw(const std::vector<std::string>& lines);
  // Takes them away, so that something else can be printed.
  void Clear();

 private:
  bool terminal_ = false;
  std::size_t drawn_ = 0;
};

}  // namespace prewarm
