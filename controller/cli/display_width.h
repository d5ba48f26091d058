// How many columns of a terminal a text takes, and texts cut to a number of columns. Names come
// from other people's files, so what a terminal would obey is made visible instead. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace prewarm::ctl {

// Control characters and what is not UTF-8 replaced by "?", so that a name cannot move the cursor.
std::string Printable(std::string_view text);

// Of printable text: wide characters of East Asia and emoji take two, combining ones none.
std::size_t DisplayWidth(std::string_view text);

// At most `columns` wide, with "…" where something is left out: at the end, or, for paths, whose
// end tells more, at the beginning.
std::string CutEnd(std::string_view text, std::size_t columns);
std::string CutBeginning(std::string_view text, std::size_t columns);

}  // namespace prewarm::ctl
