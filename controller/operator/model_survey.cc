#include "controller/operator/model_survey.h"

#include <utility>

#include "controller/operator/source_lookup.h"

namespace prewarm::controller {
namespace {

constexpr auto kWhileSeeding = std::chrono::seconds(2);
constexpr auto kWhenWhole = std::chrono::minutes(5);
constexpr std::size_t kLookupsAtOnce = 8;

}  // namespace

ModelSurvey::ModelSurvey(boost::asio::any_io_executor executor, const Clock& clock, Logger& log,
                         const VolumeMap& volumes, std::function<void()> answered)
    : clock_(clock),
      log_(log),
      volumes_(volumes),
      answered_(std::move(answered)),
      running_(std::move(executor)) {}

void ModelSurvey::Begin() {
  for (auto& [key, entry] : entries_) entry.wanted = false;
}

void ModelSurvey::Want(const bento::ModelSource& source, const bento::FileRules& rules) {
  auto& entry = entries_[source.Key()];
  entry.wanted = true;
  if (entry.answered && entry.rules != rules) entry.looked_at = {};
  entry.source = source;
  entry.rules = rules;
}

bool ModelSurvey::IsDue(const std::string& key, const Entry& entry, bool now) const {
  if (entry.looking) return false;
  if (entry.looked_at == SteadyTime{}) return true;
  const auto answer = answers_.find(key);
  const bool whole =
      answer != answers_.end() && answer->second.completeness == bento::Completeness::kComplete;
  if (now && !whole) return true;
  return clock_.Now() - entry.looked_at >= (whole ? Duration(kWhenWhole) : kWhileSeeding);
}

void ModelSurvey::End(bool now) {
  std::erase_if(entries_, [&](const auto& item) {
    const bool forget = !item.second.wanted && !item.second.looking;
    if (forget) answers_.erase(item.first);
    return forget;
  });
  for (auto& [key, entry] : entries_) {
    if (running_.running() >= kLookupsAtOnce) return;
    if (entry.wanted && IsDue(key, entry, now)) {
      entry.looking = running_.Spawn("look up a model", LookUp(key));
    }
  }
}

Task<void> ModelSurvey::LookUp(std::string key) {
  const auto source = entries_[key].source;
  const auto rules = entries_[key].rules;
  auto answer = co_await LookUpSource(volumes_, source, rules);
  auto& entry = entries_[key];  // not forgotten while it is being looked up
  entry.looking = false;
  entry.looked_at = clock_.Now();
  if (!answer) {
    log_.Warn("model_not_looked_up",
              {{"model", source.tag}, {"volume", source.volume}, {"why", answer.error()}});
    co_return;  // what was known stays
  }
  const auto [known, fresh] = answers_.try_emplace(key, *answer);
  const bool news = fresh || known->second != *answer;
  known->second = *std::move(answer);
  entry.answered = true;
  if (news) answered_();
}

Task<void> ModelSurvey::Stop() {
  running_.Stop();
  co_await running_.Join();
}

}  // namespace prewarm::controller
