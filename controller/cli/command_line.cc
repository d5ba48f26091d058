#include "controller/cli/command_line.h"

#include <google/protobuf/util/time_util.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <filesystem>
#include <utility>
#include <vector>

#include "common/base/units.h"
#include "common/process/config_file.h"
#include "common/process/config_options.h"
#include "controller/cli/completion.h"
#include "controller/cli/outcome.h"

namespace prewarm::ctl {
namespace {

constexpr auto kDescription =
    "Asks the Prewarm controller to put models onto nodes before pods need them, and tells how\n"
    "it goes.";

constexpr auto kFooter =
    "Environment: PREWARM_SERVER, PREWARM_NAMESPACE, PREWARM_TOKEN (the token itself) and\n"
    "PREWARM_CA; options go "
    "before them, and they before ~/.config/prewarm/ctl.yaml.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 partly done (with --wait, and\n"
    "for watch: some nodes have it, others failed).";

constexpr auto kWarmFooter =
    "Examples:\n"
    "  prewarmctl warm models:llama/current --nodes gpu=h100 --deadline 10m --wait\n"
    "  prewarmctl warm models:a models:b --nodes gpu-1,gpu-2 --dry-run\n"
    "  prewarmctl warm --bento chat:k6v2x7m4kq3aq --namespace ml --count 4 --wait\n"
    "Exit codes: 0 accepted (with --wait: visible on every node), 1 failed, 2 wrong use,\n"
    "3 partly done (some nodes have it, others failed).";

struct ResourceWord {
  const char* plural;
  const char* singular;
  const char* name;  // of one, in help
  Resource resource;
};
constexpr std::array<ResourceWord, 3> kResources{{
    {"prewarms", "prewarm", "ID", Resource::kPrewarms},
    {"nodes", "node", "NAME", Resource::kNodes},
    {"volumes", "volume", "NAME", Resource::kVolumes},
}};

// Words as CLI11 finds them; what they mean is decided afterwards.
struct RawWords {
  std::string config_file, output, shell;
  std::vector<std::string> targets;
  std::string bento, nodes, deadline, model, idempotency_key, name, volume, state, files;
  std::uint32_t count = 0;
  int priority = 0;
  bool refuse_if_late = false, keep = false, wait = false, dry_run = false;
  bool check_config = false, print_config = false;
};

// Both levels of a command such as "get nodes".
struct ResourceCommand {
  CLI::App* verb = nullptr;
  std::vector<std::pair<Resource, CLI::App*>> resources;

  [[nodiscard]] std::optional<Resource> Named() const {
    for (const auto& [resource, app] : resources) {
      if (app->parsed()) return resource;
    }
    return std::nullopt;
  }
};

struct CommandApps {
  CLI::App* warm = nullptr;
  ResourceCommand get, describe, watch, cancel;
  CLI::App* files = nullptr;
  CLI::App* completion = nullptr;
};

CLI::App* AddCommand(CLI::App& app, const char* name, const std::string& help) {
  auto* command = app.add_subcommand(name, help);
  command->allow_extras()->fallthrough();
  return command;
}

void AddGlobalOptions(CLI::App& app, RawWords& raw, ConfigOptions& config) {
  config.AddSection(app, "controller");
  app.add_option("-o,--output", raw.output, "text for people, or for programs json or yaml")
      ->type_name("text|json|yaml");
  app.add_option("--config", raw.config_file,
                 "read this file instead of ~/.config/prewarm/ctl.yaml")
      ->type_name("FILE");
  app.add_flag("--check-config", raw.check_config,
               "read the configuration, say whether it is right");
  app.add_flag("--print-config", raw.print_config,
               "print the configuration in force as a file, with every key explained");
}

CLI::App* AddWarm(CLI::App& app, RawWords& raw) {
  auto* warm = AddCommand(app, "warm", "put files of a volume onto nodes");
  warm->footer(kWarmFooter);
  warm->add_option("target", raw.targets,
                   "VOLUME:PATH, a file or directory; VOLUME alone is all of it")
      ->type_name("VOLUME:PATH");
  warm->add_option(
          "--bento", raw.bento,
          "in place of VOLUME:PATH: the models of this Bento of the namespace, as its tag or\n"
          "the name of its object; where the controller works for a Kubernetes cluster")
      ->type_name("NAME");
  warm->add_option("--nodes", raw.nodes,
                   "names n1,n2 or labels k=v,…, all of which match; every node if not given")
      ->type_name("SELECTOR");
  warm->add_option("--count", raw.count, "at most so many of these nodes, the best first")
      ->type_name("N");
  warm->add_option("--priority", raw.priority, "0 to 1000, larger is more urgent")->type_name("N");
  warm->add_option("--deadline", raw.deadline, "be visible within this time, such as 10m")
      ->type_name("DURATION");
  warm->add_flag("--refuse-if-late", raw.refuse_if_late,
                 "refuse if the deadline cannot be met at today's rates");
  warm->add_flag("--keep", raw.keep, "stay, and warm what the paths will hold later, too");
  warm->add_option("--model", raw.model,
                   "name of the model: a newer prewarm of it supersedes what is left of this one")
      ->type_name("NAME");
  warm->add_option("--idempotency-key", raw.idempotency_key,
                   "the same key with the same request is the same prewarm, for a day")
      ->type_name("KEY");
  warm->add_flag("--wait", raw.wait, "follow it until it is done, and exit with how it ended");
  warm->add_flag("--dry-run", raw.dry_run, "say what would be done, and do nothing");
  return warm;
}

ResourceCommand AddResourceCommand(CLI::App& app, RawWords& raw, const char* verb, const char* help,
                                   std::size_t resources = kResources.size()) {
  ResourceCommand command;
  command.verb = AddCommand(app, verb, help);
  command.verb->require_subcommand(0, 1);
  for (std::size_t i = 0; i < resources; ++i) {
    const auto& word = kResources.at(i);
    auto* resource = AddCommand(*command.verb, word.plural, std::string(verb) + " " + word.plural);
    resource->alias(word.singular);
    resource->add_option("name", raw.name, "which one")->type_name(word.name);
    command.resources.emplace_back(word.resource, resource);
  }
  return command;
}

CommandApps AddCommands(CLI::App& app, RawWords& raw) {
  CommandApps apps;
  apps.warm = AddWarm(app, raw);
  apps.get = AddResourceCommand(app, raw, "get", "list prewarms, nodes or volumes, or show one");
  auto* prewarms = apps.get.resources.front().second;
  prewarms->add_option("--volume", raw.volume, "only of this volume")->type_name("NAME");
  prewarms->add_option("--state", raw.state, "only in this state")
      ->type_name("pending|running|warm|succeeded|failed|cancelled|superseded");
  apps.describe = AddResourceCommand(app, raw, "describe", "tell everything about one");
  apps.watch = AddResourceCommand(app, raw, "watch", "follow one, or a list as it changes");
  apps.cancel = AddResourceCommand(app, raw, "cancel", "end a prewarm where it stands", 1);
  apps.files = AddCommand(app, "files", "list the files of a volume");
  apps.files->add_option("target", raw.files, "VOLUME or VOLUME:PATH")->type_name("VOLUME[:PATH]");
  apps.completion = AddCommand(app, "completion", "print completion for a shell");
  apps.completion
      ->footer(
          "bash: source <(prewarmctl completion bash)\n"
          "zsh:  prewarmctl completion zsh > \"${fpath[1]}/_prewarmctl\"\n"
          "fish: prewarmctl completion fish > ~/.config/fish/completions/prewarmctl.fish")
      ->add_option("shell", raw.shell, "bash, zsh or fish")
      ->type_name("bash|zsh|fish");
  return apps;
}

Output OutputNamed(const std::string& word, Problems& problems) {
  if (word.empty() || word == "text") return Output::kText;
  if (word == "json") return Output::kJson;
  if (word == "yaml") return Output::kYaml;
  problems.Add("--output: \"" + word + "\" is not text, json or yaml");
  return Output::kText;
}

void SetDeadline(const std::string& text, WallTime now, v1::PrewarmSpec& spec, Problems& problems) {
  if (text.empty()) return;
  const auto duration = ParseDuration(text);
  if (!duration) return problems.Add("--deadline: " + duration.error().message);
  if (*duration <= std::chrono::nanoseconds::zero()) {
    return problems.Add("--deadline: \"" + text + "\" has passed: give a time from now, as 10m");
  }
  constexpr auto kMost = std::chrono::hours(24 * 3650);
  if (*duration > kMost) return problems.Add("--deadline: \"" + text + "\" is more than 10 years");
  using google::protobuf::util::TimeUtil;
  *spec.mutable_deadline() = TimeUtil::MillisecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::milliseconds>((now + *duration).time_since_epoch())
          .count());
}

WarmCommand InterpretWarm(const RawWords& raw, WallTime now, Problems& problems) {
  WarmCommand command;
  command.wait = raw.wait;
  command.dry_run = raw.dry_run;
  if (raw.wait && raw.dry_run) problems.Add("--wait and --dry-run do not go together");
  auto& spec = *command.request.mutable_spec();
  if (raw.targets.empty() && raw.bento.empty()) {
    problems.Add("what to warm is missing: VOLUME:PATH…, or --bento NAME");
  }
  if (!raw.bento.empty() && !(raw.targets.empty() && raw.model.empty())) {
    problems.Add("--bento says what to warm: leave out VOLUME:PATH and --model");
  }
  command.request.set_bento(raw.bento);
  if (const auto set = SetTargets(raw.targets, spec); !set) problems.Add(set.error().message);
  if (!raw.nodes.empty()) {
    problems.Add("--nodes", SetNodes(raw.nodes, *spec.mutable_nodes()));
  }
  if (raw.count > 0) spec.mutable_nodes()->set_count(raw.count);
  spec.set_priority(raw.priority);
  SetDeadline(raw.deadline, now, spec, problems);
  if (raw.refuse_if_late && raw.deadline.empty()) {
    problems.Add("--refuse-if-late needs --deadline");
  }
  spec.set_refuse_if_late(raw.refuse_if_late);
  spec.set_keep(raw.keep);
  spec.set_model(raw.model);
  command.request.set_idempotency_key(raw.idempotency_key);
  return command;
}

// The resource of a command that was given; a problem if none was.
Resource ResourceOf(const ResourceCommand& command, Problems& problems) {
  if (const auto named = command.Named()) return *named;
  std::string choices;
  for (const auto& [resource, app] : command.resources) {
    choices += (choices.empty() ? "" : ", ") + app->get_name();
  }
  problems.Add(command.verb->get_name() + " what? " + choices);
  return Resource::kPrewarms;
}

void DemandName(const RawWords& raw, const ResourceCommand& command, Problems& problems) {
  if (command.Named() && raw.name.empty()) {
    problems.Add(command.verb->get_name() + ": which one? Its name is missing");
  }
}

GetCommand InterpretGet(const RawWords& raw, const CommandApps& apps, Problems& problems) {
  GetCommand command{ResourceOf(apps.get, problems), raw.name, raw.volume, {}};
  if (!raw.state.empty()) {
    command.state = StateNamed(raw.state);
    if (command.state == v1::PREWARM_STATE_UNSPECIFIED) {
      problems.Add("--state: \"" + raw.state + "\" is not a state (--help names them)");
    }
  }
  return command;
}

void Interpret(const RawWords& raw, const CommandApps& apps, WallTime now, CommandLine& line,
               Problems& problems) {
  if (apps.warm->parsed()) {
    line.command = InterpretWarm(raw, now, problems);
  } else if (apps.get.verb->parsed()) {
    line.command = InterpretGet(raw, apps, problems);
  } else if (apps.describe.verb->parsed()) {
    line.command = DescribeCommand{ResourceOf(apps.describe, problems), raw.name};
    DemandName(raw, apps.describe, problems);
  } else if (apps.watch.verb->parsed()) {
    line.command = WatchCommand{ResourceOf(apps.watch, problems), raw.name};
  } else if (apps.cancel.verb->parsed()) {
    line.command = CancelCommand{raw.name};
    ResourceOf(apps.cancel, problems);
    DemandName(raw, apps.cancel, problems);
  } else if (apps.files->parsed()) {
    auto target = ParseTarget(raw.files);
    if (!target) {
      problems.Add(raw.files.empty() ? "files of what? VOLUME or VOLUME:PATH is missing"
                                     : target.error().message);
    } else {
      line.command = FilesCommand{*std::move(target)};
    }
  } else {
    problems.Add(
        "no command given: warm, get, describe, watch, cancel or files (--help says more)");
  }
}

// The file that was named must be there; the usual one may be.
void ReadFile(const std::string& named, const Environment& environment, const ConfigSchema& schema,
              Problems& problems) {
  if (!named.empty()) return ReadConfigFile(schema, named, problems);
  const auto usual = DefaultConfigFile(environment);
  std::error_code ignored;
  if (!usual.empty() && std::filesystem::exists(usual, ignored)) {
    ReadConfigFile(schema, usual, problems);
  }
}

}  // namespace

Result<CommandLine> ParseCommandLine(int argc, const char* const* argv,
                                     const Environment& environment, WallTime now) {
  CLI::App app(kDescription, "prewarmctl");
  app.set_version_flag("--version", std::string("prewarmctl ") + PREWARM_VERSION);
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  app.allow_extras();
  RawWords raw;
  CommandLine line;
  const auto schema = CtlConfigSchema(line.config);
  ConfigOptions config_options(schema);
  AddGlobalOptions(app, raw, config_options);
  const auto apps = AddCommands(app, raw);

  TRY(const auto answer, ReadWords(app, argc, argv));
  if (answer) return CommandLine{*answer, {}, {}, {}};
  if (apps.completion->parsed()) {
    TRY(auto script, CompletionScript(app, raw.shell));
    return CommandLine{std::move(script), {}, {}, {}};
  }
  Problems problems;
  ReadFile(raw.config_file, environment, schema, problems);
  ApplyEnvironment(environment, line.config);
  config_options.Apply(problems);
  CheckConnection(line.config, problems);
  if (raw.check_config || raw.print_config) {
    TRY_STATUS(problems.ToStatus(ErrorCode::kInvalidConfig));
    line.answer = raw.print_config ? PrintConfig(schema) : "the configuration is right\n";
    return line;
  }
  line.output = OutputNamed(raw.output, problems);
  Interpret(raw, apps, now, line, problems);
  TRY_STATUS(problems.ToStatus(ErrorCode::kInvalidArgument));
  return line;
}

}  // namespace prewarm::ctl
