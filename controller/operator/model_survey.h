// Looks into volumes for models that objects name: where each lies and whether it is whole. An
// answer is kept for all workloads that ask for the same, and is looked up again, soon while the
// model is being seeded, seldom afterwards. Lives on the control executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "common/base/clock.h"
#include "common/process/log.h"
#include "controller/bento/model_plan.h"
#include "controller/reconcile/volumes.h"

namespace prewarm::controller {

class ModelSurvey {
 public:
  // `answered` is called after an answer came or changed; it must only make a note of that.
  ModelSurvey(boost::asio::any_io_executor executor, const Clock& clock, Logger& log,
              const VolumeMap& volumes, std::function<void()> answered);

  // One round: everything that some workload asks for now, between Begin and End. What nobody has
  // asked for since the last Begin is forgotten.
  void Begin();
  void Want(const bento::ModelSource& source, const bento::FileRules& rules);
  // Starts the lookups that are due; with `now` also those of models that are not whole.
  void End(bool now);

  // By ModelSource::Key(); what was not looked up yet is missing.
  [[nodiscard]] const std::map<std::string, bento::SourceAnswer>& answers() const {
    return answers_;
  }

  Task<void> Stop();

 private:
  struct Entry {
    bento::ModelSource source;
    bento::FileRules rules;
    bool wanted = true;
    bool looking = false;
    bool answered = false;
    SteadyTime looked_at{};
  };
  Task<void> LookUp(std::string key);
  [[nodiscard]] bool IsDue(const std::string& key, const Entry& entry, bool now) const;

  const Clock& clock_;
  Logger& log_;
  const VolumeMap& volumes_;
  std::function<void()> answered_;
  TaskGroup running_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, bento::SourceAnswer> answers_;
};

}  // namespace prewarm::controller
