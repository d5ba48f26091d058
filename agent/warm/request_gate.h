// How many requests one fetch thread may have in flight. The target moves while requests run.
// Lives on one executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <memory>

#include "common/async/task.h"

namespace prewarm::agent {

class RequestGate {
 public:
  RequestGate(boost::asio::any_io_executor executor, std::size_t target);

  class Permit {
   public:
    Permit() = default;
    explicit Permit(RequestGate* gate) : gate_(gate) {}
    Permit(Permit&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~Permit() {
      if (gate_ != nullptr) gate_->Release();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    RequestGate* gate_ = nullptr;
  };

  // Waits for a place, first come first served. An empty permit after a stop.
  Task<Permit> Enter();
  void SetTarget(std::size_t target);
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

 private:
  void Release();
  void Admit();

  boost::asio::any_io_executor executor_;
  std::size_t target_;
  std::size_t in_flight_ = 0;
  // One timer per waiter; admitting a waiter means counting it and cancelling its timer.
  struct Waiter {
    explicit Waiter(const boost::asio::any_io_executor& executor)
        : timer(executor, boost::asio::steady_timer::time_point::max()) {}
    boost::asio::steady_timer timer;
    bool admitted = false;
  };
  std::deque<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace prewarm::agent
