#include "agent/agent_config.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

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

// A list or map whose items may also stand in one text, as an option gives them.
ConfigField CommaSeparated(ConfigField field) {
  field.set = [set = field.set](const std::vector<std::string>& items) {
    std::vector<std::string> parts;
    for (const auto& item : items) {
      for (std::size_t begin = 0; begin <= item.size();) {
        const auto end = std::min(item.find(',', begin), item.size());
        if (end > begin) parts.push_back(item.substr(begin, end - begin));
        begin = end + 1;
      }
    }
    return set(parts);
  };
  return field;
}

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("localhost:") ||
         address.starts_with("[::1]:");
}

ConfigSection ControllerSection(ControllerAddress& controller) {
  return {"controller",
          "Whom the daemon takes orders from. Without an address it waits for none.",
          {{"addresses", "host:port of each controller, tried in turn",
            CommaSeparated(ListField(controller.addresses, "HOST:PORT[,…]"))},
           {"ca", "PEM file of the authorities that sign the controller's certificate",
            TextField(controller.ca_file, "FILE")},
           {"certificate", "PEM file that proves this node; read again when it changes",
            TextField(controller.certificate_file, "FILE")},
           {"key", "its private key, PEM", TextField(controller.key_file, "FILE")},
           {"token-file",
            "token of this pod, for the audience prewarm.dev, that proves this node instead; read "
            "anew\nfor every connection",
            TextField(controller.token_file, "FILE")},
           {"server-name", "name in the controller's certificate; empty: the address's host",
            TextField(controller.server_name, "NAME")},
           {"insecure-loopback", "dial without TLS; only loopback addresses",
            FlagField(controller.insecure_loopback)}},
          {},
          {}};
}

std::vector<ConfigSection> DaemonSections(AgentConfig& config) {
  return {
      ControllerSection(config.controller),
      {"node",
       "What the daemon says of this node.",
       {{"name", "unique; in a cluster the Kubernetes node's name; empty: the host name",
         TextField(config.node.name, "NAME")},
        {"labels", "for selecting nodes (taken over on SIGHUP)",
         CommaSeparated(MapField(config.node.labels))},
        {"measure-disks", "measure the cache directories' disks at start: 256 MiB, some seconds",
         FlagField(config.node.measure_disks)}},
       {},
       {}},
      {"limits",
       "Over all tasks of the daemon, until a controller says otherwise (taken over on SIGHUP).\n"
       "Rates in Mbit/s, or with a unit such as 2G; 0: no limit.",
       {{"node-download", "from stores", RateField(config.limits.download)},
        {"node-disk-write", "to cache directories", RateField(config.limits.disk_write)}},
       {},
       {}},
      {"admin",
       "Metrics, health and configuration over HTTP.",
       {{"listen", "address and port", TextField(config.admin_listen, "HOST:PORT")}},
       {},
       {}},
      {"log",
       "One line on stderr for each change of state.",
       {{"level", "from which level on (taken over on SIGHUP)",
         ChoiceField(config.log_level, {"debug", "info", "warn", "error"})},
        {"format", "text or json", ChoiceField(config.log_format, {"text", "json"})}},
       {},
       {}},
  };
}

}  // namespace

void ValidateServeConfig(const AgentConfig& config, Problems& problems) {
  const auto& controller = config.controller;
  const bool files = !controller.ca_file.empty() || !controller.certificate_file.empty() ||
                     !controller.key_file.empty();
  if (controller.insecure_loopback && files) {
    problems.Add("controller.insecure-loopback goes with no certificate: leave one of them out");
  }
  for (const auto& address : controller.addresses) {
    const auto colon = address.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
      problems.Add("controller.addresses: \"" + address + "\" is not HOST:PORT");
    } else if (controller.insecure_loopback && !IsLoopback(address)) {
      problems.Add("controller.addresses: " + address +
                   " is not a loopback address, so it needs ca, and certificate and key or "
                   "token-file");
    }
  }
  if (controller.addresses.empty() || controller.insecure_loopback) return;
  const bool certificate = !controller.certificate_file.empty();
  const bool key = !controller.key_file.empty();
  const bool proof =
      (certificate && key) || (!certificate && !key && !controller.token_file.empty());
  if (controller.ca_file.empty() || !proof) {
    problems.Add(
        "controller.ca, controller.certificate and controller.key are needed together; in a "
        "cluster controller.token-file may stand for the last two "
        "(or insecure-loopback, for a controller on this machine)");
  }
}

ConfigSchema AgentConfigSchema(AgentConfig& config) {
  auto& cache = config.cache;
  auto& engine = config.engine;
  auto& fetch = engine.fetch;
  ConfigSchema schema = {
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
  for (auto& section : DaemonSections(config)) schema.push_back(std::move(section));
  return schema;
}

}  // namespace prewarm::agent
