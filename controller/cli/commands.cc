#include "controller/cli/commands.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "common/process/live_lines.h"
#include "controller/cli/display_width.h"
#include "controller/cli/document.h"
#include "controller/cli/follow.h"
#include "controller/cli/follow_view.h"
#include "controller/cli/text_output.h"

namespace prewarm::ctl {
namespace {

using Stub = Connection::Stub;

// A prewarm carries its tasks, so its pages are small.
constexpr std::uint32_t kPrewarmPage = 50;
constexpr std::uint32_t kPage = 500;
constexpr std::uint32_t kFilePage = 1000;

void Write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Tell(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
  std::fflush(stderr);
}

template <class Items>
boost::json::value ListDocument(const char* name, const Items& items) {
  boost::json::array list;
  for (const auto& item : items) list.push_back(ToDocument(item));
  boost::json::object document;
  document.emplace(name, std::move(list));
  return document;
}

// All pages of a list. `take` moves the items of a page into `all`.
template <class Item, class Request, class Response, class Take>
Result<std::vector<Item>> AllPages(Connection& connection,
                                   grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                const Request&, Response*),
                                   Request request, Take take) {
  std::vector<Item> all;
  while (true) {
    TRY(auto page, connection.Call(method, request));
    for (auto& item : *take(page)) all.push_back(std::move(item));
    if (page.next_page_token().empty()) return all;
    request.set_page_token(page.next_page_token());
  }
}

std::string RandomKey() {
  std::random_device random;
  std::string key = "prewarmctl-";
  for (int i = 0; i < 24; ++i) key += "0123456789abcdef"[random() % 16];
  return key;
}

// Shows a prewarm on stderr as it changes: live lines on a terminal, news elsewhere.
class FollowDisplay {
 public:
  explicit FollowDisplay(const Clock& clock) : clock_(clock) {}

  void Changed(const v1::Prewarm& prewarm) {
    if (live_.terminal()) return live_.Draw(LiveView(prewarm, live_.columns() - 1, live_.rows()));
    for (const auto& line : plain_.News(prewarm, clock_.Now())) Tell(line);
  }
  void Lost(const Error& error) {
    const auto words = Printable(error.message) + "; trying again";
    if (live_.terminal()) return live_.Draw({CutEnd(words, live_.columns() - 1)});
    if (words != told_) Tell(words);
    told_ = words;
  }
  void End(const v1::Prewarm& prewarm) {
    // The last lines stay, with the end below them.
    if (live_.terminal()) Tell("");
    Tell(EndLine(prewarm));
  }
  void Clear() { live_.Clear(); }

 private:
  const Clock& clock_;
  LiveLines live_;
  PlainView plain_;
  std::string told_;
};

}  // namespace

void Commands::Print(const Answer& answer) const {
  switch (output_) {
    case Output::kText: return Write(answer.text);
    case Output::kJson: return Write(ToJsonText(answer.document));
    case Output::kYaml: return Write(ToYamlText(answer.document));
  }
}

Result<Commands::Answer> Commands::One(Resource resource, const std::string& name, Detail detail) {
  const auto now = clock_.WallNow();
  const auto answer = [&](const auto& message, auto table) {
    return Answer{ToDocument(message),
                  detail == Detail::kAll ? Describe(message, now) : table({message}, now)};
  };
  if (resource == Resource::kPrewarms) {
    v1::GetPrewarmRequest request;
    request.set_id(name);
    TRY(const auto prewarm, connection_.Call(&Stub::GetPrewarm, request));
    return answer(prewarm, PrewarmTable);
  }
  if (resource == Resource::kNodes) {
    v1::GetNodeRequest request;
    request.set_name(name);
    TRY(const auto node, connection_.Call(&Stub::GetNode, request));
    return answer(node, NodeTable);
  }
  v1::GetVolumeRequest request;
  request.set_name(name);
  TRY(const auto volume, connection_.Call(&Stub::GetVolume, request));
  return answer(volume, VolumeTable);
}

Result<Commands::Answer> Commands::All(const GetCommand& filter) {
  const auto now = clock_.WallNow();
  if (filter.resource == Resource::kPrewarms) {
    v1::ListPrewarmsRequest request;
    request.set_page_size(kPrewarmPage);
    request.set_volume(filter.volume);
    request.set_state(filter.state);
    TRY(const auto prewarms,
        AllPages<v1::Prewarm>(connection_, &Stub::ListPrewarms, request,
                              [](auto& page) { return page.mutable_prewarms(); }));
    return Answer{ListDocument("prewarms", prewarms), PrewarmTable(prewarms, now)};
  }
  if (filter.resource == Resource::kNodes) {
    v1::ListNodesRequest request;
    request.set_page_size(kPage);
    TRY(const auto nodes, AllPages<v1::Node>(connection_, &Stub::ListNodes, request,
                                             [](auto& page) { return page.mutable_nodes(); }));
    return Answer{ListDocument("nodes", nodes), NodeTable(nodes, now)};
  }
  v1::ListVolumesRequest request;
  request.set_page_size(kPage);
  TRY(const auto volumes,
      AllPages<v1::VolumeStatus>(connection_, &Stub::ListVolumes, request,
                                 [](auto& page) { return page.mutable_volumes(); }));
  return Answer{ListDocument("volumes", volumes), VolumeTable(volumes, now)};
}

Result<ExitCode> Commands::Run(const GetCommand& command) {
  TRY(const auto answer,
      command.name.empty() ? All(command) : One(command.resource, command.name, Detail::kRow));
  Print(answer);
  return kExitDone;
}

Result<ExitCode> Commands::Run(const DescribeCommand& command) {
  TRY(const auto answer, One(command.resource, command.name, Detail::kAll));
  Print(answer);
  return kExitDone;
}

Result<ExitCode> Commands::DryRun(const WarmCommand& command) {
  TRY(const auto plan, connection_.Call(&Stub::PlanPrewarm, command.request));
  Print({ToDocument(plan), Describe(plan)});
  return kExitDone;
}

Result<v1::Prewarm> Commands::Create(v1::CreatePrewarmRequest request) {
  constexpr int kAttempts = 4;
  if (request.idempotency_key().empty()) request.set_idempotency_key(RandomKey());
  Backoff backoff;
  for (int attempt = 1;; ++attempt) {
    auto prewarm = connection_.Call(&Stub::CreatePrewarm, request);
    if (prewarm || !IsRetryable(prewarm.error().code) || attempt == kAttempts) return prewarm;
    std::this_thread::sleep_for(backoff.Next());
  }
}

Result<ExitCode> Commands::Run(const WarmCommand& command) {
  if (command.dry_run) return DryRun(command);
  TRY(auto prewarm, Create(command.request));
  // On stderr if stdout is for the final word; whoever is interrupted must know the id.
  const auto accepted =
      "prewarm " + Printable(prewarm.id()) + " accepted" +
      (prewarm.forecast().words().empty() ? "" : "; " + Printable(prewarm.forecast().words()));
  if (!command.wait) {
    Print({ToDocument(prewarm), accepted + "\n"});
    return kExitDone;
  }
  Tell(accepted);
  TRY(prewarm, FollowShown(prewarm.id()));
  if (output_ != Output::kText) Print({ToDocument(prewarm), ""});
  return ExitCodeOf(prewarm);
}

Result<v1::Prewarm> Commands::FollowShown(const std::string& id) {
  FollowDisplay display(clock_);
  auto prewarm = Follow(connection_, clock_, id,
                        {[&](const v1::Prewarm& now) { display.Changed(now); },
                         [&](const Error& error, Duration) { display.Lost(error); }});
  if (prewarm) {
    display.End(*prewarm);
  } else {
    display.Clear();
  }
  return prewarm;
}

// For programs: a document for every change, in JSON one in a line.
Result<ExitCode> Commands::FollowAsDocuments(const std::string& id) {
  const auto write = [&](const v1::Prewarm& prewarm) {
    const auto document = ToDocument(prewarm);
    Write(output_ == Output::kJson ? ToJsonLine(document) + "\n" : "---\n" + ToYamlText(document));
  };
  TRY(const auto prewarm,
      Follow(connection_, clock_, id, {write, [](const Error& error, Duration) {
                                         Tell(Printable(error.message) + "; trying again");
                                       }}));
  return ExitCodeOf(prewarm);
}

// Until the reader interrupts it, or the controller refuses.
Result<ExitCode> Commands::WatchList(const WatchCommand& command) {
  constexpr auto kEvery = std::chrono::seconds(2);
  std::string shown;
  while (true) {
    auto answer = command.name.empty() ? All({command.resource, "", "", {}})
                                       : One(command.resource, command.name, Detail::kAll);
    if (!answer && !IsRetryable(answer.error().code)) return std::move(answer).error();
    if (!answer) {
      Tell(Printable(answer.error().message) + "; trying again");
    } else {
      const auto now_shown = output_ == Output::kJson   ? ToJsonLine(answer->document) + "\n"
                             : output_ == Output::kYaml ? "---\n" + ToYamlText(answer->document)
                                                        : answer->text;
      if (now_shown != shown) {
        const bool separate = output_ == Output::kText && !shown.empty();
        Write((separate ? "\n" : "") + now_shown);
      }
      shown = now_shown;
    }
    std::this_thread::sleep_for(kEvery);
  }
}

Result<ExitCode> Commands::Run(const WatchCommand& command) {
  if (command.resource != Resource::kPrewarms || command.name.empty()) return WatchList(command);
  if (output_ != Output::kText) return FollowAsDocuments(command.name);
  TRY(const auto prewarm, FollowShown(command.name));
  return ExitCodeOf(prewarm);
}

Result<ExitCode> Commands::Run(const CancelCommand& command) {
  v1::CancelPrewarmRequest request;
  request.set_id(command.id);
  TRY(const auto prewarm, connection_.Call(&Stub::CancelPrewarm, request));
  Print({ToDocument(prewarm),
         "prewarm " + Printable(prewarm.id()) + " " + StateWord(prewarm.state()) + "\n"});
  return kExitDone;
}

// Text is printed page by page; documents are whole.
Result<ExitCode> Commands::Run(const FilesCommand& command) {
  v1::ListFilesRequest request;
  request.set_volume(command.target.volume);
  request.set_path(command.target.path);
  request.set_page_size(kFilePage);
  v1::ListFilesResponse all;
  bool first = true;
  while (true) {
    TRY(auto page, connection_.Call(&Stub::ListFiles, request));
    if (output_ == Output::kText) {
      Write(FileTable(page, first));
    } else {
      auto token = page.next_page_token();
      all.MergeFrom(page);
      all.set_next_page_token(token);
    }
    first = false;
    all.set_total_files(page.total_files());
    all.set_total_bytes(page.total_bytes());
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  if (output_ == Output::kText) {
    Write(FilesTotal(all));
  } else {
    Print({ToDocument(all), ""});
  }
  return kExitDone;
}

}  // namespace prewarm::ctl
