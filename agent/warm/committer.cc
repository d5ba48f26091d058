#include "agent/warm/committer.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

namespace prewarm::agent {

namespace asio = boost::asio;

void Committer::Announce() {
  state_.With([](State& state) { ++state.announced; });
}

void Committer::AnnounceFailed() {
  PublishOnPool(state_.With([](State& state) {
    --state.announced;
    return TakeDue(state);
  }));
}

Task<Result<Published>> Committer::Commit(StagedBlock block) {
  auto initiate = [this, &block](auto handler) {
    auto home = asio::get_associated_executor(handler);
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    Add({std::move(block),
         [kept, home, work = asio::make_work_guard(home)](Result<Published> result) {
           asio::post(home, [kept, result = std::move(result)]() mutable {
             std::move (*kept)(std::move(result));
           });
         }});
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<Published>)>(
      std::move(initiate), asio::use_awaitable);
}

void Committer::Add(Waiting waiting) {
  PublishOnPool(state_.With([&](State& state) {
    --state.announced;
    state.waiting.push_back(std::move(waiting));
    return TakeDue(state);
  }));
}

std::vector<Committer::Waiting> Committer::TakeDue(State& state) {
  const bool due = state.waiting.size() >= kBatch || state.announced == 0;
  if (!due || state.publishing || state.waiting.empty()) return {};
  state.publishing = true;
  return std::exchange(state.waiting, {});
}

void Committer::PublishOnPool(std::vector<Waiting> batch) {
  if (batch.empty()) return;
  auto shared = std::make_shared<std::vector<Waiting>>(std::move(batch));
  asio::post(disk_pool_, [this, shared] {
    std::vector<StagedBlock> blocks;
    blocks.reserve(shared->size());
    for (auto& waiting : *shared) blocks.push_back(std::move(waiting.block));
    auto results = cache_.Publish(std::move(blocks));
    auto next = state_.With([](State& state) {
      state.publishing = false;
      return TakeDue(state);
    });
    PublishOnPool(std::move(next));
    for (std::size_t i = 0; i < shared->size(); ++i) (*shared)[i].resume(std::move(results[i]));
  });
}

}  // namespace prewarm::agent
