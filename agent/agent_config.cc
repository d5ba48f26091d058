#include "agent/agent_config.h"

#include <array>
#include <cstdio>

#include "common/base/units.h"
#include "common/juicefs/cache_layout.h"

namespace prewarm::agent {
namespace {

ConfigField CacheDirsField(std::vector<std::string>& dirs) {
  auto field = ListField(dirs, "DIR[:DIR…]");
  field.set = [&dirs](const std::vector<std::string>& items) -> Status {
    std::string joined;
    for (const auto& item : items) joined += (joined.empty() ? "" : ":") + item;
    dirs.clear();
    if (items.empty()) return {};
    TRY(dirs, juicefs::SplitCacheDirs(joined));
    return {};
  };
  return field;
}

ConfigField CacheModeField(mode_t& mode) {
  return {ConfigField::Form::kText, "OCTAL",
          [&mode](const std::vector<std::string>& values) -> Status {
            TRY(mode, juicefs::ParseCacheMode(values.at(0)));
            return {};
          },
          [&mode]() -> std::vector<std::string> {
            std::array<char, 16> text{};
            std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode));
            return {text.data()};
          }};
}

// Empty: the volume's own limit.
ConfigField DownloadLimitField(AgentConfig& config) {
  auto rate = RateField(config.engine.fetch.bytes_per_second);
  return {ConfigField::Form::kText, "RATE",
          [&config, rate](const std::vector<std::string>& values) -> Status {
            config.honour_volume_limit = values.at(0).empty();
            return config.honour_volume_limit ? Status{} : rate.set(values);
          },
          [&config, rate]() -> std::vector<std::string> {
            return config.honour_volume_limit ? std::vector<std::string>{""} : rate.get();
          }};
}

}  // namespace

ConfigSchema AgentConfigSchema(AgentConfig& config) {
  auto& cache = config.cache;
  auto& engine = config.engine;
  auto& fetch = engine.fetch;
  return {
      {"cache",
       "The node's JuiceFS cache, as the client that will mount is told about it.",
       {{"cache-dir", "cache directories of the client that will mount",
         CacheDirsField(cache.dirs)},
        {"cache-size", "the client's --cache-size over all directories (a bare number counts MiB)",
         SizeField(cache.size, 1_MiB)},
        {"free-space-ratio", "the client's --free-space-ratio; at least 5 % more is left free",
         RatioField(cache.free_space_ratio)},
        {"min-free", "share of the disk that stays free whatever --free-space-ratio says",
         RatioField(cache.min_free_ratio)},
        {"cache-mode", "the client's --cache-mode", CacheModeField(cache.mode)}},
       {},
       {}},
      {"fetch",
       "How blocks are fetched.",
       {{"download-limit",
         "bandwidth limit in Mbit/s, or with a unit such as 2G; 0: none; empty: the volume's",
         DownloadLimitField(config)},
        {"buffer-size", "memory for blocks on their way (a bare number counts MiB)",
         SizeField(engine.memory_bytes, 1_MiB)},
        {"max-downloads", "requests in flight at most", CountField(engine.max_requests, 1, 1024)},
        {"io-retries", "attempts for a block", CountField(fetch.attempts, 1, 1000)},
        {"retry-timeout", "how long a failing block may wait for the store to recover",
         DurationField(fetch.retry_patience)},
        {"threads", "network threads; 0: one per core, at most 4",
         CountField(engine.fetch_threads, 0, 64)},
        {"require-checksum", "refuse blocks for which the store gives no checksum",
         FlagField(fetch.require_checksum)}},
       {},
       {}},
  };
}

}  // namespace prewarm::agent
