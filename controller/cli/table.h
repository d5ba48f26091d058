// Rows and columns of text that fit a terminal of 80 columns. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace prewarm::ctl {

inline constexpr std::size_t kTableColumns = 80;

struct Column {
  enum class Align : std::uint8_t { kLeft, kRight };
  // What happens to the column when the table is too wide.
  enum class Narrow : std::uint8_t { kNever, kCutEnd, kCutBeginning };
  std::string title;
  Align align = Align::kLeft;
  Narrow narrow = Narrow::kNever;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as there are columns. An empty cell is shown as "-".
  void Add(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // The titles and all rows, each ended by a newline; no line is wider than `columns` if the
  // columns that never narrow leave room for four characters of each of the others.
  [[nodiscard]] std::string ToText(std::size_t columns = kTableColumns) const;

 private:
  [[nodiscard]] std::vector<std::size_t> Widths(std::size_t columns) const;
  [[nodiscard]] std::string Line(const std::vector<std::string>& cells,
                                 const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace prewarm::ctl
