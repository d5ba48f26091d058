#include "agent/warm/request_gate.h"

#include <algorithm>

namespace prewarm::agent {

RequestGate::RequestGate(boost::asio::any_io_executor executor, std::size_t target)
    : executor_(std::move(executor)), target_(target) {}

Task<RequestGate::Permit> RequestGate::Enter() {
  if (co_await Stopping()) co_return Permit();
  if (in_flight_ < target_ && waiters_.empty()) {
    ++in_flight_;
    co_return Permit(this);
  }
  auto waiter = std::make_shared<Waiter>(executor_);
  waiters_.push_back(waiter);
  co_await waiter->timer.async_wait(kAsTuple);
  if (waiter->admitted) co_return Permit(this);
  std::erase(waiters_, waiter);
  co_return Permit();
}

void RequestGate::SetTarget(std::size_t target) {
  target_ = target;
  Admit();
}

void RequestGate::Release() {
  --in_flight_;
  Admit();
}

void RequestGate::Admit() {
  while (in_flight_ < target_ && !waiters_.empty()) {
    waiters_.front()->admitted = true;
    waiters_.front()->timer.cancel();
    waiters_.pop_front();
    ++in_flight_;
  }
}

}  // namespace prewarm::agent
