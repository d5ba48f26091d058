// CLI11 finds the words; what they mean is decided here, with all problems collected before the
// first is reported.
#include <CLI/CLI.hpp>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "agent/commands/options.h"
#include "common/base/nearest.h"
#include "common/base/units.h"
#include "common/juicefs/cache_layout.h"

#ifndef PREWARM_VERSION
#define PREWARM_VERSION "unknown"
#endif

namespace prewarm::agent {
namespace {

constexpr auto kDescription =
    "Puts the blocks of JuiceFS volumes into this node's cache directory before a pod needs them,\n"
    "in the format of the unmodified JuiceFS client.";

constexpr auto kFooter =
    "Secrets come from the environment, as for the JuiceFS client: META_PASSWORD, REDIS_PASSWORD,\n"
    "META_PASSWORD_FILE, SENTINEL_PASSWORD, JFS_RSA_PASSPHRASE, ACCESS_KEY and SECRET_KEY, and "
    "the\n"
    "variables of the cloud SDKs.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong use, 3 partly done.";

// Option texts as given; parsed afterwards.
struct RawOptions {
  std::string meta, mount, cache_dir, storage, bucket, subdir;
  std::string cache_size = "100GiB", free_space_ratio = "0.1", cache_mode = "0600",
              min_free = "0.15";
  std::string download_limit, buffer_size = "128MiB", max_downloads = "64", io_retries = "10",
                              retry_timeout = "60s";
  std::string threads = "0";
  std::vector<std::string> paths;
  bool require_checksum = false, dry_run = false, json = false, against_store = false;
};

void AddVolumeOptions(CLI::App& app, RawOptions& raw) {
  auto* meta = app.add_option("--meta", raw.meta,
                              "metadata URL of the volume, as for juicefs mount "
                              "(redis://…, rediss://…, unix://…)");
  meta->type_name("URL");
  auto* mount = app.add_option("--mount", raw.mount,
                               "take cache directories, store and settings from this live mount");
  mount->type_name("PATH");
  const auto add = [&](const char* name, std::string& text, const char* type, const char* help) {
    auto* option = app.add_option(name, text, help)->type_name(type);
    if (!text.empty()) option->capture_default_str();
    option->excludes(mount);
  };
  add("--cache-dir", raw.cache_dir, "DIR[:DIR…]",
      "cache directories of the client that will mount");
  add("--cache-size", raw.cache_size, "SIZE",
      "the client's --cache-size over all directories (a bare number counts MiB)");
  add("--free-space-ratio", raw.free_space_ratio, "RATIO",
      "the client's --free-space-ratio; at least 5 % more is left free");
  add("--cache-mode", raw.cache_mode, "OCTAL", "the client's --cache-mode");
  add("--storage", raw.storage, "TYPE", "use this kind of store instead of the volume's setting");
  add("--bucket", raw.bucket, "URL", "use this bucket instead of the volume's setting");
  add("--subdir", raw.subdir, "DIR", "paths are relative to this directory of the volume");
  app.add_option("--min-free", raw.min_free,
                 "share of the disk that stays free whatever --free-space-ratio says")
      ->type_name("RATIO")
      ->capture_default_str();
  app.add_option("path", raw.paths, "files or directories of the volume; the whole volume if none")
      ->type_name("PATH");
  app.add_flag("--json", raw.json, "one JSON document on stdout");
}

void AddFetchOptions(CLI::App& app, RawOptions& raw) {
  app.add_option("--download-limit", raw.download_limit,
                 "bandwidth limit in Mbit/s, or with a unit such as 2G (default: the volume's)")
      ->type_name("RATE");
  app.add_option("--buffer-size", raw.buffer_size,
                 "memory for blocks on their way (a bare number counts MiB)")
      ->type_name("SIZE")
      ->capture_default_str();
  app.add_option("--max-downloads", raw.max_downloads, "requests in flight at most")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--io-retries", raw.io_retries, "attempts for a block")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--retry-timeout", raw.retry_timeout,
                 "how long a failing block may wait for the store to recover")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_option("--threads", raw.threads, "network threads; 0: one per core, at most 4")
      ->type_name("N")
      ->capture_default_str();
}

void AddProbeOptions(CLI::App& app, RawOptions& raw) {
  app.add_option("--cache-dir", raw.cache_dir,
                 "cache directories to measure (default: those of the mounts)")
      ->type_name("DIR[:DIR…]");
  app.add_option("--mount", raw.mount, "look at this mount only")->type_name("PATH");
  app.add_option("--meta", raw.meta, "metadata URL of a volume: its store is measured too")
      ->type_name("URL");
  app.add_option("--storage", raw.storage, "use this kind of store instead of the volume's setting")
      ->type_name("TYPE");
  app.add_option("--bucket", raw.bucket, "use this bucket instead of the volume's setting")
      ->type_name("URL");
  app.add_option("path", raw.paths, "files to read for that; any of the volume if none")
      ->type_name("PATH");
  app.add_flag("--json", raw.json, "one JSON document on stdout");
}

class Problems {
 public:
  void Add(std::string problem) { list_.push_back(std::move(problem)); }
  // The value, or its default and one more problem.
  template <class T>
  T Take(const char* option, Result<T> result) {
    if (result) return *std::move(result);
    Add(std::string(option) + ": " + result.error().message);
    return T{};
  }
  [[nodiscard]] Status ToStatus() const {
    if (list_.empty()) return {};
    std::string text;
    for (const auto& problem : list_) text += (text.empty() ? "" : "\n") + problem;
    return Fail(ErrorCode::kInvalidArgument, text);
  }

 private:
  std::vector<std::string> list_;
};

Result<std::uint64_t> PositiveSize(const std::string& text, std::uint64_t bare_unit) {
  TRY(auto bytes, ParseSize(text, bare_unit));
  if (bytes == 0) return Fail(ErrorCode::kInvalidArgument, "must be more than zero");
  return bytes;
}

Result<std::size_t> CountIn(const std::string& text, std::size_t least, std::size_t most) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    return Fail(ErrorCode::kInvalidArgument, "\"" + text + "\" is not a whole number from " +
                                                 std::to_string(least) + " to " +
                                                 std::to_string(most));
  }
  return value;
}

Result<std::chrono::nanoseconds> Patience(const std::string& text) {
  TRY(const auto duration, ParseDuration(text));
  if (duration < std::chrono::nanoseconds::zero()) {
    return Fail(ErrorCode::kInvalidArgument, "must not be negative");
  }
  return duration;
}

Result<double> RatioOf(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0 && value < 1)) {
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + text + "\" is not a ratio from 0 up to (but not) 1, such as 0.1");
  }
  return value;
}

VolumeOptions InterpretVolume(const RawOptions& raw, Problems& problems) {
  VolumeOptions options;
  options.meta = raw.meta;
  options.mount = raw.mount;
  options.storage = raw.storage;
  options.bucket = raw.bucket;
  options.subdir = raw.subdir;
  options.paths = raw.paths;
  if (raw.mount.empty()) {
    if (raw.meta.empty()) problems.Add("--meta is missing: the metadata URL of the volume");
    if (raw.cache_dir.empty()) {
      problems.Add("--cache-dir is missing: the cache directory of the client that will mount");
    } else {
      options.cache_dirs = problems.Take("--cache-dir", juicefs::SplitCacheDirs(raw.cache_dir));
    }
  }
  options.cache_size = problems.Take("--cache-size", PositiveSize(raw.cache_size, 1_MiB));
  options.free_space_ratio = problems.Take("--free-space-ratio", RatioOf(raw.free_space_ratio));
  options.min_free_ratio = problems.Take("--min-free", RatioOf(raw.min_free));
  options.cache_mode = problems.Take("--cache-mode", juicefs::ParseCacheMode(raw.cache_mode));
  return options;
}

EngineOptions InterpretEngine(const RawOptions& raw, Problems& problems) {
  EngineOptions options;
  options.memory_bytes = problems.Take("--buffer-size", PositiveSize(raw.buffer_size, 1_MiB));
  options.max_requests = problems.Take("--max-downloads", CountIn(raw.max_downloads, 1, 1024));
  options.fetch_threads = problems.Take("--threads", CountIn(raw.threads, 0, 64));
  options.fetch.attempts = problems.Take("--io-retries", CountIn(raw.io_retries, 1, 1000));
  options.fetch.retry_patience = problems.Take("--retry-timeout", Patience(raw.retry_timeout));
  options.fetch.require_checksum = raw.require_checksum;
  if (!raw.download_limit.empty()) {
    options.fetch.bytes_per_second =
        problems.Take("--download-limit", ParseLinkRate(raw.download_limit));
  }
  return options;
}

// "unknown option --cache-dirr: did you mean --cache-dir?" for what CLI11 could not place.
Error UnknownWords(const CLI::App& app) {
  std::string text;
  for (const auto& word : app.remaining(true)) {
    std::vector<std::string> known;
    for (const auto* option : app.get_options()) {
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    }
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(command->get_name());
    }
    const bool is_option = word.starts_with("-");
    const auto bare = word.substr(0, word.find('='));
    const auto nearest = NearestWord(bare, known);
    if (!text.empty()) text += "\n";
    text += std::string("unknown ") + (is_option ? "option " : "command ") + bare;
    if (!nearest.empty()) text += ": did you mean " + nearest + "?";
  }
  return Fail(ErrorCode::kInvalidArgument, text);
}

}  // namespace

Result<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app(kDescription, "prewarm-agent");
  app.set_version_flag("--version", std::string("prewarm-agent ") + PREWARM_VERSION);
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  app.allow_extras();
  RawOptions raw;

  auto* warm = app.add_subcommand("warm", "fetch the blocks of files into the cache directory");
  AddVolumeOptions(*warm, raw);
  AddFetchOptions(*warm, raw);
  warm->add_flag("--dry-run", raw.dry_run, "say what would be done, and whether it fits");
  warm->add_flag("--require-checksum", raw.require_checksum,
                 "refuse blocks for which the store gives no checksum");
  auto* verify = app.add_subcommand("verify", "check the cached blocks of files");
  AddVolumeOptions(*verify, raw);
  verify->add_flag("--against-store", raw.against_store,
                   "compare every byte with the object store");
  auto* probe = app.add_subcommand("probe", "measure cache directories and look at live mounts");
  AddProbeOptions(*probe, raw);
  for (auto* command : {warm, verify, probe}) command->allow_extras();

  CommandLine line;
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    line.answer = app.help();  // of the command, if one was named
    return line;
  } catch (const CLI::CallForVersion&) {
    line.answer = app.version() + "\n";
    return line;
  } catch (const CLI::ParseError& e) {
    return Fail(ErrorCode::kInvalidArgument, e.what());
  }
  const auto used = app.get_subcommands();
  const CLI::App& innermost = used.empty() ? app : *used.front();
  if (!innermost.remaining(true).empty()) return UnknownWords(innermost);
  if (used.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "no command given: warm, verify or probe (--help says more)");
  }

  Problems problems;
  const auto output = raw.json ? Output::kJson : Output::kText;
  if (warm->parsed()) {
    line.warm = WarmOptions{InterpretVolume(raw, problems), InterpretEngine(raw, problems),
                            raw.download_limit.empty(), raw.dry_run, output};
  } else if (verify->parsed()) {
    line.verify = VerifyOptions{InterpretVolume(raw, problems), InterpretEngine(raw, problems),
                                raw.against_store, output};
  } else {
    ProbeOptions options;
    options.output = output;
    options.volume.meta = raw.meta;
    options.volume.mount = raw.mount;
    options.volume.storage = raw.storage;
    options.volume.bucket = raw.bucket;
    options.volume.paths = raw.paths;
    if (!raw.cache_dir.empty()) {
      options.volume.cache_dirs =
          problems.Take("--cache-dir", juicefs::SplitCacheDirs(raw.cache_dir));
    }
    line.probe = options;
  }
  TRY_STATUS(problems.ToStatus());
  return line;
}

}  // namespace prewarm::agent
