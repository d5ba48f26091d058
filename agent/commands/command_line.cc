// CLI11 finds the words; what they mean is decided here, with all problems collected before the
// first is reported.
#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agent/commands/options.h"
#include "common/process/config_file.h"
#include "common/process/config_options.h"

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
    "Exit codes: 0 done, 1 failed, 2 wrong use, 3 partly done. The daemon ends with 0 when asked "
    "to;\n"
    "SIGHUP makes it read its file again.";

// Words that are not keys of the configuration.
struct RawOptions {
  std::string meta, mount, storage, bucket, subdir, config_file;
  std::vector<std::string> paths;
  bool dry_run = false, json = false, against_store = false, check_config = false,
       print_config = false;
};

void AddStoreOptions(CLI::App& app, RawOptions& raw, CLI::Option* excludes) {
  const auto add = [&](const char* name, std::string& text, const char* type, const char* help) {
    auto* option = app.add_option(name, text, help)->type_name(type);
    if (excludes != nullptr) option->excludes(excludes);
  };
  add("--storage", raw.storage, "TYPE", "use this kind of store instead of the volume's setting");
  add("--bucket", raw.bucket, "URL", "use this bucket instead of the volume's setting");
}

void AddVolumeOptions(CLI::App& app, RawOptions& raw, ConfigOptions& config) {
  app.add_option("--meta", raw.meta,
                 "metadata URL of the volume, as for juicefs mount "
                 "(redis://…, rediss://…, unix://…)")
      ->type_name("URL");
  auto* mount = app.add_option("--mount", raw.mount,
                               "take cache directories, store and settings from this live mount");
  mount->type_name("PATH");
  // What a mount tells by itself may not be given beside it; the floor of free space is ours alone.
  config.AddSection(app, "cache", mount, "min-free");
  AddStoreOptions(app, raw, mount);
  app.add_option("--subdir", raw.subdir, "paths are relative to this directory of the volume")
      ->type_name("DIR")
      ->excludes(mount);
  app.add_option("path", raw.paths, "files or directories of the volume; the whole volume if none")
      ->type_name("PATH");
  app.add_flag("--json", raw.json, "one JSON document on stdout");
}

void AddProbeOptions(CLI::App& app, RawOptions& raw, ConfigOptions& config,
                     const ConfigSchema& schema) {
  config.Add(app, *FindKey(schema, "cache-dir"))
      ->description("cache directories to measure (default: those of the mounts)");
  app.add_option("--mount", raw.mount, "look at this mount only")->type_name("PATH");
  app.add_option("--meta", raw.meta, "metadata URL of a volume: its store is measured too")
      ->type_name("URL");
  AddStoreOptions(app, raw, nullptr);
  app.add_option("path", raw.paths, "files to read for that; any of the volume if none")
      ->type_name("PATH");
  app.add_flag("--json", raw.json, "one JSON document on stdout");
}

VolumeOptions InterpretVolume(const RawOptions& raw, const AgentConfig& config,
                              Problems& problems) {
  if (raw.mount.empty()) {
    if (raw.meta.empty()) problems.Add("--meta is missing: the metadata URL of the volume");
    if (config.cache.dirs.empty()) {
      problems.Add("--cache-dir is missing: the cache directory of the client that will mount");
    }
  }
  return {raw.meta, raw.mount, config.cache, raw.storage, raw.bucket, raw.subdir, raw.paths};
}

void AddConfigOptions(CLI::App& app, RawOptions& raw) {
  app.add_option("--config", raw.config_file,
                 "read this agent.yaml first; options override what it says")
      ->type_name("FILE");
  app.add_flag("--check-config", raw.check_config,
               "read the configuration, say whether it is right");
  app.add_flag("--print-config", raw.print_config,
               "print the configuration in force as a file, with every key explained");
}

struct Commands {
  CLI::App* serve;
  CLI::App* warm;
  CLI::App* verify;
  CLI::App* probe;
};

Commands AddCommands(CLI::App& app, RawOptions& raw, ConfigOptions& config,
                     const ConfigSchema& schema) {
  auto* serve = app.add_subcommand(
      "serve", "be this node's daemon: do what a controller orders (the default command)");
  for (const auto& section : schema) config.AddSection(*serve, section.name);
  auto* warm = app.add_subcommand("warm", "fetch the blocks of files into the cache directory");
  AddVolumeOptions(*warm, raw, config);
  config.AddSection(*warm, "fetch", nullptr);
  warm->add_flag("--dry-run", raw.dry_run, "say what would be done, and whether it fits");
  auto* verify = app.add_subcommand("verify", "check the cached blocks of files");
  AddVolumeOptions(*verify, raw, config);
  verify->add_flag("--against-store", raw.against_store,
                   "compare every byte with the object store");
  auto* probe = app.add_subcommand("probe", "measure cache directories and look at live mounts");
  AddProbeOptions(*probe, raw, config, schema);
  for (auto* command : {serve, warm, verify, probe}) command->allow_extras()->fallthrough();
  return {serve, warm, verify, probe};
}

// The configuration of the daemon, as the same words would give it later.
std::function<Result<AgentConfig>()> ReadAgain(int argc, const char* const* argv) {
  return [words = std::vector<std::string>(argv, argv + argc)]() -> Result<AgentConfig> {
    std::vector<const char*> pointers;
    pointers.reserve(words.size());
    for (const auto& word : words) pointers.push_back(word.c_str());
    TRY(auto line, ParseCommandLine(static_cast<int>(pointers.size()), pointers.data()));
    return std::move(line.serve)->config;
  };
}

}  // namespace

Result<CommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app(kDescription, "prewarm-agent");
  app.set_version_flag("--version", std::string("prewarm-agent ") + PREWARM_VERSION);
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  app.allow_extras();
  RawOptions raw;
  AgentConfig config;
  const auto schema = AgentConfigSchema(config);
  ConfigOptions config_options(schema);
  AddConfigOptions(app, raw);
  const auto commands = AddCommands(app, raw, config_options, schema);

  CommandLine line;
  TRY(const auto answer, ReadWords(app, argc, argv));
  if (answer) {
    line.answer = *answer;
    return line;
  }
  Problems problems;
  if (!raw.config_file.empty()) ReadConfigFile(schema, raw.config_file, problems);
  config_options.Apply(problems);
  const bool serves = app.get_subcommands().empty() || commands.serve->parsed();
  if (serves && problems.empty()) ValidateServeConfig(config, problems);
  if (raw.check_config || raw.print_config) {
    TRY_STATUS(problems.ToStatus(ErrorCode::kInvalidConfig));
    line.answer = raw.print_config ? PrintConfig(schema) : "the configuration is right\n";
    return line;
  }

  const auto output = raw.json ? Output::kJson : Output::kText;
  if (serves) {
    line.serve = ServeOptions{config, ReadAgain(argc, argv)};
  } else if (commands.warm->parsed()) {
    line.warm = WarmOptions{InterpretVolume(raw, config, problems), config.engine,
                            config.honour_volume_limit, raw.dry_run, output};
  } else if (commands.verify->parsed()) {
    line.verify = VerifyOptions{InterpretVolume(raw, config, problems), config.engine,
                                raw.against_store, output};
  } else {
    line.probe = ProbeOptions{
        {raw.meta, raw.mount, config.cache, raw.storage, raw.bucket, raw.subdir, raw.paths},
        output};
  }
  TRY_STATUS(problems.ToStatus(ErrorCode::kInvalidArgument));
  return line;
}

}  // namespace prewarm::agent
