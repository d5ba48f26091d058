// The fake S3 server as a program, for end-to-end tests: serves a folder (<root>/<bucket>/<key>)
// with faults drawn by chance. Prints {"port": N} when it listens; at SIGTERM or SIGINT prints how
// many requests it saw and how often each fault was used, as one line of JSON, and ends.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "tests/fakes/fake_s3.h"

namespace {

using prewarm::rig::FakeS3;
using prewarm::rig::S3Fault;

constexpr auto kUsage =
    "usage: fake_s3 --root DIR [--port N] [--seed N] [--no-checksums] [--fault WHAT:HOW[:KEY]]...\n"
    "  WHAT  a status such as 503 or 404, or one of the faults below\n"
    "  HOW   a probability such as 0.05, or first20 for the first 20 requests that match\n"
    "  KEY   only for keys that contain this\n"
    "The first fault that applies to a request is used. Faults:";

int Usage(const std::string& problem) {
  std::cerr << "fake_s3: " << problem << "\n" << kUsage;
  for (const auto& name : S3Fault::Names()) std::cerr << " " << name;
  std::cerr << "\n";
  return 2;
}

struct Wish {
  S3Fault fault;
  double probability = 1;
  int times = FakeS3::kEveryTime;
  std::string key;
};

struct Wishes {
  FakeS3::Options server;
  std::uint64_t seed = 1;
  std::vector<Wish> faults;
};

// Nothing if the text is not WHAT:HOW[:KEY].
std::optional<Wish> ParseWish(const std::string& text) {
  const auto first = text.find(':');
  if (first == std::string::npos) return std::nullopt;
  const auto second = std::min(text.find(':', first + 1), text.size());
  const auto fault = S3Fault::Named(text.substr(0, first));
  if (!fault) return std::nullopt;
  Wish wish{.fault = *fault, .key = ""};
  const std::string how = text.substr(first + 1, second - first - 1);
  char* end = nullptr;
  if (how.starts_with("first")) {
    wish.times = static_cast<int>(std::strtol(how.c_str() + 5, &end, 10));
  } else {
    wish.probability = std::strtod(how.c_str(), &end);
  }
  if (how.empty() || *end != '\0') return std::nullopt;
  if (second < text.size()) wish.key = text.substr(second + 1);
  return wish;
}

// What is wrong with the command line, or nothing.
std::string Parse(const std::vector<std::string>& arguments, Wishes& wishes) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--no-checksums") {
      wishes.server.checksums = false;
      continue;
    }
    if (i + 1 == arguments.size()) return name + " needs a value, or is no option";
    const std::string& value = arguments[++i];
    if (name == "--root") {
      wishes.server.root = value;
    } else if (name == "--port") {
      wishes.server.port = static_cast<std::uint16_t>(std::stoul(value));
    } else if (name == "--seed") {
      wishes.seed = std::stoull(value);
    } else if (name == "--fault") {
      const auto wish = ParseWish(value);
      if (!wish) return "\"" + value + "\" is not a fault";
      wishes.faults.push_back(*wish);
    } else {
      return name + " is no option";
    }
  }
  return std::filesystem::is_directory(wishes.server.root) ? "" : "--root must name a folder";
}

void Report(const FakeS3& s3) {
  std::cout << "{\"requests\": " << s3.Requests().size() << ", \"fired\": {";
  const char* comma = "";
  for (const auto& [name, times] : s3.Fired()) {
    std::cout << comma << "\"" << name << "\": " << times;
    comma = ", ";
  }
  std::cout << "}}" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  Wishes wishes;
  const auto problem = Parse({argv + 1, argv + argc}, wishes);
  if (!problem.empty()) return Usage(problem);

  // Blocked before the server's threads start, so that only sigwait sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  FakeS3 s3(wishes.server);
  for (const auto& wish : wishes.faults) {
    auto by_chance = prewarm::rig::Sometimes(wish.probability, wishes.seed++);
    auto by_key = prewarm::rig::KeyContains(wish.key);
    s3.FailWhen(
        [by_chance, by_key](const auto& request) { return by_key(request) && by_chance(request); },
        wish.fault, wish.times);
  }
  std::cout << "{\"port\": " << s3.port() << "}" << std::endl;
  int signal = 0;
  sigwait(&signals, &signal);
  Report(s3);
  return 0;
}
