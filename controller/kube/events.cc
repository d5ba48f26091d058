#include "controller/kube/events.h"

#include <array>
#include <cstdio>
#include <utility>

#include "controller/kube/objects.h"

namespace prewarm::controller::kube {
namespace {

constexpr std::size_t kLongestPrefix = 200;  // of a name, which may have 253 characters
constexpr std::chrono::hours kLongWait{1};

Resource EventResource() { return {"events.k8s.io", "v1", "events"}; }

std::string EventName(const Event& event, std::uint64_t random) {
  std::array<char, 20> digits{};
  std::snprintf(digits.data(), digits.size(), ".%016llx", static_cast<unsigned long long>(random));
  auto prefix = event.about.key.name.substr(0, kLongestPrefix);
  // A part of a name ends with a letter or digit, also where it was cut.
  while (!prefix.empty() && (prefix.back() == '-' || prefix.back() == '.')) prefix.pop_back();
  return prefix + digits.data();
}

}  // namespace

EventRecorder::EventRecorder(const boost::asio::any_io_executor& executor, KubeApi& api,
                             const Clock& clock, std::string instance, std::uint64_t seed,
                             EventSeries::Limits limits)
    : api_(api),
      clock_(clock),
      instance_(std::move(instance)),
      random_(seed),
      series_(limits),
      recorded_(executor) {}

void EventRecorder::Record(const Event& event) {
  if (series_.Record(event, EventName(event, random_()), clock_.Now(), clock_.WallNow())) {
    recorded_.Notify();
  }
}

EventRecorder::Counters EventRecorder::counters() const {
  return {written_, series_.dropped(), failed_};
}

Task<void> EventRecorder::Run() {
  while (!co_await Stopping()) {
    if (auto write = series_.Next(clock_.Now())) {
      co_await Write(*std::move(write));
      continue;
    }
    const auto due = series_.NextDue();
    co_await recorded_.WaitFor(due ? std::max<Duration>(*due - clock_.Now(), Duration(1))
                                   : Duration(kLongWait));
  }
}

Task<void> EventRecorder::Write(EventWrite write) {
  const auto ns = EventNamespace(write.event);
  Status status;
  if (write.created) {
    const auto patched =
        co_await PatchObject(api_, EventResource(), {ns, write.name}, SeriesPatch(write));
    if (!patched) status = patched.error();
  } else {
    const auto created =
        co_await CreateObject(api_, EventResource(), ns, EventJson(write, instance_));
    if (!created) status = created.error();
  }
  // A first try that went unanswered may have made it.
  const bool exists = !status && !write.created && status.error().code == ErrorCode::kConflict;
  auto outcome = EventSeries::Outcome::kWritten;
  if (!status && !exists) {
    ++failed_;
    outcome = IsRetryable(status.error().code) ? EventSeries::Outcome::kAgain
                                               : EventSeries::Outcome::kLost;
  } else {
    ++written_;
  }
  series_.Written(write, outcome, clock_.Now());
}

}  // namespace prewarm::controller::kube
