// The fake S3 server as a program, for tests in other languages:
//
//   fake_s3 --root DIR [--fault NAME:PROBABILITY[:ARGUMENT]]… [--seed N] [--crc] [--first-only]
//
// Serves DIR/bucket/key as /bucket/key. Prints "port=N" at the start and, when it is asked to end,
// one line of JSON that says how many requests came and how often each fault struck.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/fakes/fake_s3.h"

namespace {

using prewarm::rig::FakeS3;
using prewarm::rig::Fault;

struct Chance {
  double probability = 0;
  Fault fault;
};

struct Arguments {
  FakeS3::Options options;
  std::vector<Chance> chances;
};

std::optional<Chance> ParseFault(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto kind = prewarm::rig::FaultNamed(text.substr(0, colon));
  if (!kind) return std::nullopt;
  Chance chance{std::strtod(text.c_str() + colon + 1, nullptr), {*kind, std::nullopt}};
  const auto argument = text.find(':', colon + 1);
  if (argument != std::string::npos) {
    chance.fault.argument = std::strtoull(text.c_str() + argument + 1, nullptr, 10);
  }
  return chance;
}

std::optional<Arguments> ParseArguments(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--crc") {
      arguments.options.crc = true;
    } else if (word == "--first-only") {
      arguments.options.fail_first_only = true;
    } else if (i + 1 == words.size()) {
      return std::nullopt;
    } else if (word == "--root") {
      arguments.options.root = words[++i];
    } else if (word == "--seed") {
      arguments.options.seed = std::strtoull(words[++i].c_str(), nullptr, 10);
    } else if (word == "--fault") {
      const auto chance = ParseFault(words[++i]);
      if (!chance) return std::nullopt;
      arguments.chances.push_back(*chance);
    } else {
      return std::nullopt;
    }
  }
  if (arguments.options.root.empty()) return std::nullopt;
  return arguments;
}

void Report(FakeS3& server) {
  std::string faults;
  for (const auto& [kind, times] : server.Fired()) {
    faults += (faults.empty() ? "\"" : ", \"") + std::string(prewarm::rig::FaultName(kind)) +
              "\": " + std::to_string(times);
  }
  std::printf("{\"requests\": %zu, \"connections\": %zu, \"faults\": {%s}}\n",
              server.Requests().size(), server.connections(), faults.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = ParseArguments({argv + 1, argv + argc});
  if (!arguments) {
    std::fprintf(stderr,
                 "usage: fake_s3 --root DIR [--fault NAME:PROBABILITY[:ARGUMENT]]... [--seed N] "
                 "[--crc] [--first-only]\n");
    return 2;
  }
  // Blocked before any thread starts, so that only sigwait sees them.
  sigset_t signals{};
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  FakeS3 server(arguments->options);
  for (const auto& [probability, fault] : arguments->chances) {
    server.FailSometimes(probability, fault);
  }
  std::printf("port=%u\n", static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  Report(server);
  return 0;
}
