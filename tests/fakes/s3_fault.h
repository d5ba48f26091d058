// What a fake S3 server can do wrong with one answer, as values with names. Offsets and lengths
// count bytes of the body.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace prewarm::rig {

struct S3Fault {
  enum class End : std::uint8_t { kKeepAlive, kClose, kReset, kStall };

  std::string name = "none";  // under which FakeS3 counts it
  // Answered instead of the object, with an S3 error document that carries `code`; 0: the object.
  unsigned status = 0;
  std::string code;
  std::string first_line;                                    // instead of "HTTP/1.1 …"
  std::vector<std::pair<std::string, std::string>> headers;  // replace those of the same name
  // Changes the bytes after checksum and ETag were made from the right ones. Content-Length is that
  // of the changed body.
  std::function<void(std::string& body)> change_body;
  std::ptrdiff_t length_lie = 0;       // added to Content-Length
  bool chunked = false;                // Transfer-Encoding: chunked, no Content-Length
  bool no_length = false;              // neither: the body ends with the connection
  bool ignore_range = false;           // 200 and the whole object
  bool silent = false;                 // not even a head
  End end = End::kKeepAlive;           // after the answer, or ...
  std::optional<std::size_t> end_at;   // ... after this many bytes of the body
  std::size_t piece = 0;               // sent in pieces of this size, 0: at once, ...
  std::chrono::milliseconds pause{0};  // ... with this pause before each

  static S3Fault Status(unsigned status, std::string code = "");
  // The object is cut off after `bytes`, by a reset, a polite close, or by silence for ever.
  static S3Fault ResetAfter(std::size_t bytes);
  static S3Fault CloseAfter(std::size_t bytes);
  static S3Fault StallAfter(std::size_t bytes);
  // The connection ends before a byte of the answer.
  static S3Fault NoAnswer();
  // A good answer, then the connection is closed although it was promised to live on.
  static S3Fault HangUp();
  static S3Fault Slow(std::size_t piece, std::chrono::milliseconds pause);
  static S3Fault Chunked();
  static S3Fault NoLength();
  // A captive portal: 200, text/html.
  static S3Fault HtmlPage();
  // Status 200 with an S3 error document.
  static S3Fault ErrorWith200();
  static S3Fault Gzip();
  static S3Fault FlipBit(std::size_t byte);
  // Another length, told truthfully: another object's, or a cut one.
  static S3Fault Longer(std::size_t bytes);
  static S3Fault Shorter(std::size_t bytes);
  // Content-Length is off by this; the body is right.
  static S3Fault LengthOff(std::ptrdiff_t bytes);
  static S3Fault IgnoreRange();
  static S3Fault WrongRange();
  static S3Fault Redirect(std::string region, std::string location = "");
  static S3Fault NotHttp();

  // By the names of the command line: a status as a number, or one of Names(). Nothing for another.
  static std::optional<S3Fault> Named(const std::string& name);
  static std::vector<std::string> Names();
};

}  // namespace prewarm::rig
