// What is text: names in a file system are bytes, and JSON, logs and protobuf take only UTF-8.
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace prewarm {

// How many bytes the character at the front of a text, which is not empty, has; 0: the bytes there
// are none. Overlong forms, surrogates and what lies beyond U+10FFFF are none.
std::size_t Utf8Length(std::string_view text);

bool IsUtf8(std::string_view bytes);

// The same text with U+FFFD for every byte that belongs to no character.
std::string ToUtf8(std::string_view bytes);
// At most `longest` bytes of it, cut where a character begins.
std::string ToUtf8(std::string_view bytes, std::size_t longest);

}  // namespace prewarm
