#include "controller/cli/follow.h"

#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "controller/cli/outcome.h"

namespace prewarm::ctl {
namespace {

constexpr auto kGiveUpAfter = std::chrono::minutes(10);

// One stream: what it ended with. `heard` is set with every message.
Result<v1::Prewarm> FollowOnce(Connection& connection, const Clock& clock, const std::string& id,
                               const FollowEvents& events, SteadyTime& heard, Backoff& backoff) {
  TRY(const auto context, connection.NewContext(std::nullopt));
  v1::GetPrewarmRequest request;
  request.set_id(id);
  const auto stream = connection.stub().WatchPrewarm(context.get(), request);
  v1::Prewarm prewarm;
  while (stream->Read(&prewarm)) {
    heard = clock.Now();
    backoff.Reset();
    events.changed(prewarm);
    if (!IsSettled(prewarm)) continue;
    context->TryCancel();  // of a kept one the stream would go on
    return prewarm;
  }
  const auto status = stream->Finish();
  if (!status.ok()) return connection.ToError(status, *context);
  return Fail(ErrorCode::kUnavailable, "the controller ended the stream early");
}

}  // namespace

Duration Backoff::Next() {
  std::mt19937_64 random(std::random_device{}());
  const auto most = most_;
  most_ = std::min(most_ * 2, kMost);
  return most / 2 +
         Duration(std::uniform_int_distribution<Duration::rep>(0, most.count() / 2)(random));
}

Result<v1::Prewarm> Follow(Connection& connection, const Clock& clock, const std::string& id,
                           const FollowEvents& events) {
  Backoff backoff;
  auto heard = clock.Now();
  while (true) {
    auto result = FollowOnce(connection, clock, id, events, heard, backoff);
    if (result || !IsRetryable(result.error().code)) return result;
    if (clock.Now() - heard > kGiveUpAfter) {
      return std::move(result.error()).Within("nothing heard of the controller for 10 minutes");
    }
    const auto pause = backoff.Next();
    events.lost(result.error(), pause);
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace prewarm::ctl
