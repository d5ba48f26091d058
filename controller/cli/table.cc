#include "controller/cli/table.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/base/check.h"
#include "controller/cli/display_width.h"

namespace prewarm::ctl {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 4;

std::string Fit(const std::string& cell, const Column& column, std::size_t width) {
  if (column.narrow == Column::Narrow::kCutBeginning) return CutBeginning(cell, width);
  return CutEnd(cell, width);
}

}  // namespace

void Table::Add(std::vector<std::string> cells) {
  PREWARM_CHECK(cells.size() == columns_.size(), "a row has a cell for each column");
  for (auto& cell : cells) cell = cell.empty() ? "-" : Printable(cell);
  rows_.push_back(std::move(cells));
}

// As wide as the widest cell; then the widest column that may narrow gives way, one by one.
std::vector<std::size_t> Table::Widths(std::size_t columns) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = DisplayWidth(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[i]));
    widths.push_back(width);
  }
  auto total = std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  while (total > columns) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (columns_[i].narrow == Column::Narrow::kNever || widths[i] <= kNarrowest) continue;
      if (widest == widths.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == widths.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::Line(const std::vector<std::string>& cells,
                        const std::vector<std::size_t>& widths) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto cell = Fit(cells[i], columns_[i], widths[i]);
    const std::string padding(widths[i] - DisplayWidth(cell), ' ');
    if (i > 0) line.append(kGap, ' ');
    line += columns_[i].align == Column::Align::kRight ? padding + cell : cell + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string Table::ToText(std::size_t columns) const {
  const auto widths = Widths(columns);
  std::vector<std::string> titles;
  titles.reserve(columns_.size());
  for (const auto& column : columns_) titles.push_back(column.title);
  std::string text = Line(titles, widths);
  for (const auto& row : rows_) text += Line(row, widths);
  return text;
}

}  // namespace prewarm::ctl
