#include "tests/fakes/s3_fault.h"

#include <algorithm>
#include <cctype>

namespace prewarm::rig {
namespace {

using std::chrono_literals::operator""ms;

S3Fault Call(std::string name) {
  S3Fault fault;
  fault.name = std::move(name);
  return fault;
}

S3Fault EndAfter(std::string name, std::size_t bytes, S3Fault::End end) {
  S3Fault fault = Call(std::move(name));
  fault.end_at = bytes;
  fault.end = end;
  return fault;
}

S3Fault Replace(std::string name, std::string type, std::string page) {
  S3Fault fault = Call(std::move(name));
  // Such pages know nothing of the object that was asked for.
  fault.headers = {{"Content-Type", std::move(type)}, {"x-amz-meta-crc32c", ""}, {"ETag", ""}};
  fault.change_body = [page = std::move(page)](std::string& body) { body = page; };
  return fault;
}

// Those that need no argument, or have a usual one.
std::vector<S3Fault> AllNamed() {
  return {S3Fault::FlipBit(1000),     S3Fault::ResetAfter(5000), S3Fault::StallAfter(5000),
          S3Fault::CloseAfter(5000),  S3Fault::NoAnswer(),       S3Fault::HangUp(),
          S3Fault::Slow(16384, 20ms), S3Fault::Chunked(),        S3Fault::NoLength(),
          S3Fault::HtmlPage(),        S3Fault::ErrorWith200(),   S3Fault::Gzip(),
          S3Fault::Longer(5),         S3Fault::Shorter(5),       S3Fault::IgnoreRange(),
          S3Fault::WrongRange(),      S3Fault::NotHttp()};
}

}  // namespace

S3Fault S3Fault::Status(unsigned status, std::string code) {
  S3Fault fault = Call(std::to_string(status));
  fault.status = status;
  fault.code = std::move(code);
  return fault;
}

S3Fault S3Fault::ResetAfter(std::size_t bytes) { return EndAfter("reset", bytes, End::kReset); }
S3Fault S3Fault::CloseAfter(std::size_t bytes) { return EndAfter("close", bytes, End::kClose); }
S3Fault S3Fault::StallAfter(std::size_t bytes) { return EndAfter("stall", bytes, End::kStall); }

S3Fault S3Fault::NoAnswer() {
  S3Fault fault = Call("no-answer");
  fault.silent = true;
  fault.end = End::kClose;
  return fault;
}

S3Fault S3Fault::HangUp() {
  S3Fault fault = Call("hang-up");
  fault.end = End::kClose;
  return fault;
}

S3Fault S3Fault::Slow(std::size_t piece, std::chrono::milliseconds pause) {
  S3Fault fault = Call("slow");
  fault.piece = piece;
  fault.pause = pause;
  return fault;
}

S3Fault S3Fault::Chunked() {
  S3Fault fault = Call("chunked");
  fault.chunked = true;
  return fault;
}

S3Fault S3Fault::NoLength() {
  S3Fault fault = Call("no-length");
  fault.no_length = true;
  fault.end = End::kClose;
  return fault;
}

S3Fault S3Fault::HtmlPage() {
  return Replace(
      "html", "text/html; charset=utf-8",
      "<!DOCTYPE html>\n<html><body>Please sign in to use this network.</body></html>\n");
}

S3Fault S3Fault::ErrorWith200() {
  return Replace("xml200", "application/xml",
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<Error><Code>InternalError</Code><Message>Try again.</Message></Error>");
}

S3Fault S3Fault::Gzip() {
  S3Fault fault = Call("gzip");
  fault.headers = {{"Content-Encoding", "gzip"}};
  return fault;
}

S3Fault S3Fault::FlipBit(std::size_t byte) {
  S3Fault fault = Call("flip");
  fault.change_body = [byte](std::string& body) {
    if (!body.empty()) body[byte % body.size()] = static_cast<char>(body[byte % body.size()] ^ 16);
  };
  return fault;
}

S3Fault S3Fault::Longer(std::size_t bytes) {
  S3Fault fault = Call("longer");
  fault.change_body = [bytes](std::string& body) { body.append(bytes, 'x'); };
  return fault;
}

S3Fault S3Fault::Shorter(std::size_t bytes) {
  S3Fault fault = Call("shorter");
  fault.change_body = [bytes](std::string& body) {
    body.resize(body.size() - std::min(bytes, body.size()));
  };
  return fault;
}

S3Fault S3Fault::LengthOff(std::ptrdiff_t bytes) {
  S3Fault fault = Call("length-off");
  fault.length_lie = bytes;
  if (bytes > 0) fault.end = End::kClose;  // the rest never comes
  return fault;
}

S3Fault S3Fault::IgnoreRange() {
  S3Fault fault = Call("ignore-range");
  fault.ignore_range = true;
  return fault;
}

S3Fault S3Fault::WrongRange() {
  S3Fault fault = Call("wrong-range");
  fault.headers = {{"Content-Range", "bytes 7-8/9"}};
  return fault;
}

S3Fault S3Fault::Redirect(std::string region, std::string location) {
  S3Fault fault = Status(301, "PermanentRedirect");
  fault.headers = {{"x-amz-bucket-region", std::move(region)}, {"Location", std::move(location)}};
  return fault;
}

S3Fault S3Fault::NotHttp() {
  S3Fault fault = Call("not-http");
  fault.first_line = "SSH-2.0-OpenSSH_9.2p1";
  fault.end = End::kClose;
  return fault;
}

std::optional<S3Fault> S3Fault::Named(const std::string& name) {
  if (!name.empty() && std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c); })) {
    return Status(static_cast<unsigned>(std::stoul(name)), name == "503" ? "SlowDown" : "");
  }
  for (auto& fault : AllNamed()) {
    if (fault.name == name) return std::move(fault);
  }
  return std::nullopt;
}

std::vector<std::string> S3Fault::Names() {
  std::vector<std::string> names;
  for (const auto& fault : AllNamed()) names.push_back(fault.name);
  return names;
}

}  // namespace prewarm::rig
