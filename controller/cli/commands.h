// What each command of prewarmctl does once it is understood. Answers go to stdout, progress to
// stderr.
#pragma once

#include <google/protobuf/message.h>

#include <boost/json/value.hpp>
#include <functional>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/cli/command_line.h"
#include "controller/cli/connection.h"
#include "controller/cli/outcome.h"

namespace prewarm::ctl {

class Commands {
 public:
  Commands(Connection& connection, const Clock& clock, Output output)
      : connection_(connection), clock_(clock), output_(output) {}

  // The exit code, or what went wrong before there was anything to judge.
  Result<ExitCode> Run(const WarmCommand& command);
  Result<ExitCode> Run(const GetCommand& command);
  Result<ExitCode> Run(const DescribeCommand& command);
  Result<ExitCode> Run(const WatchCommand& command);
  Result<ExitCode> Run(const CancelCommand& command);
  Result<ExitCode> Run(const FilesCommand& command);

 private:
  enum class Detail : std::uint8_t { kRow, kAll };
  // Something to print, in the form that was asked for.
  struct Answer {
    boost::json::value document;
    std::string text;
  };

  Result<Answer> One(Resource resource, const std::string& name, Detail detail);
  Result<Answer> All(const GetCommand& filter);
  Result<ExitCode> DryRun(const WarmCommand& command);
  // Created once, however often a lost answer makes us ask again.
  Result<v1::Prewarm> Create(v1::CreatePrewarmRequest request);
  Result<v1::Prewarm> FollowShown(const std::string& id);
  Result<ExitCode> FollowAsDocuments(const std::string& id);
  Result<ExitCode> WatchList(const WatchCommand& command);
  void Print(const Answer& answer) const;

  Connection& connection_;
  const Clock& clock_;
  const Output output_;
};

}  // namespace prewarm::ctl
