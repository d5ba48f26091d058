// What Prometheus is told of the Kubernetes API: requests of every client of this process, and how
// fresh what was read there is. Thread-safe where kube::RequestMeter says so.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "common/async/guarded.h"
#include "common/process/metrics.h"
#include "controller/kube/events.h"
#include "controller/kube/metered_api.h"
#include "controller/kube/reflector.h"

namespace prewarm::controller {

class KubeMetrics final : public kube::RequestMeter {
 public:
  // Read by `metrics`, so it must live as long as somebody asks those.
  explicit KubeMetrics(Metrics& metrics);

  void Done(const kube::RequestReport& report) override;
  void WatchOpened(const std::string& resource) override;
  void WatchClosed(const std::string& resource) override;

 private:
  using ByRequest = std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t>;
  struct Counts {
    ByRequest requests;  // by verb, resource and code
    std::map<std::string, std::int64_t> open_watches;
  };

  std::map<std::string, Histogram, std::less<>> seconds_;  // by verb
  Guarded<Counts> counts_;
};

// Caches of the cluster's objects. `all` is asked at each scrape, on the executor of the caches; of
// several for one resource the sum is told, and the worst.
void AddReflectorMetrics(Metrics& metrics, const Clock& clock,
                         const std::function<std::vector<const kube::ReflectorLoop*>()>& all);

// Likewise for what is told in Events.
void AddEventMetrics(Metrics& metrics, std::function<kube::EventRecorder::Counters()> counters);

}  // namespace prewarm::controller
