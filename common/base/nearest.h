// "Did you mean …?" for misspelt words.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace prewarm {

// The known word with the smallest edit distance to `word`; empty if none is near: more than two
// letters, and more than a third of them, differ.
std::string NearestWord(std::string_view word, std::span<const std::string> known);

}  // namespace prewarm
