// What a program counts, in the form Prometheus reads. Each module owns a small struct of named
// metrics, made once from the program's Metrics; a place of use is a member call, not a look-up.
//
//   struct FetchMetrics {
//     explicit FetchMetrics(Metrics& metrics)
//         : blocks(metrics.AddCounter("prewarm_agent_blocks_fetched_total", "Blocks …")) {}
//     Counter blocks;
//   };
//
// Base units (_seconds, _bytes), _total on counters and on nothing else; labels from small closed
// sets (volume, node, state, source, reason), never a path, a key or a pod. A wrong name is a bug
// and ends the process at start. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace prewarm {

using MetricLabels = std::map<std::string, std::string>;

// Handles: copied freely, valid as long as their Metrics.
class Counter {
 public:
  void Add(double amount = 1) const;
  [[nodiscard]] double value() const;

 private:
  friend class Metrics;
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  void Set(double value) const;
  void Add(double amount) const;  // may be negative
  [[nodiscard]] double value() const;

 private:
  friend class Metrics;
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  void Observe(double value) const;

 private:
  friend class Metrics;
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  prometheus::Histogram* histogram_;
};

// Upper bounds: `count` of them from `first`, each `factor` times the one before.
std::vector<double> GrowingBuckets(double first, double factor, std::size_t count);

// A value with the labels it is told under.
struct MetricSample {
  MetricLabels labels;
  double value = 0;
};
using ReadSamples = std::function<std::vector<MetricSample>()>;
using ReadValue = std::function<double()>;

class Metrics {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  // The same name with other labels is another series of the same metric; with the same labels it
  // is the same metric.
  Counter AddCounter(const std::string& name, const std::string& help,
                     const MetricLabels& labels = {});
  Gauge AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Histogram AddHistogram(const std::string& name, const std::string& help,
                         std::vector<double> buckets, const MetricLabels& labels = {});

  // Read at each scrape, on the thread that calls Text(): for what somebody counts already, and for
  // series that come and go. A name is added once. What they read lives as long as Text() is
  // called.
  void ReadGauge(const std::string& name, const std::string& help, ReadValue read);
  void ReadGauges(const std::string& name, const std::string& help, ReadSamples read);
  void ReadCounter(const std::string& name, const std::string& help, ReadValue read);
  void ReadCounters(const std::string& name, const std::string& help, ReadSamples read);

  // `<prefix>_build_info{version="…"} 1`, and the process_… metrics that every client library of
  // Prometheus has: resident memory, CPU seconds, open and possible descriptors, threads, start.
  void AddBuildInfo(const std::string& prefix, const std::string& version);
  void AddProcess();

  // Prometheus's text format 0.0.4.
  [[nodiscard]] std::string Text() const;

 private:
  struct Store;
  const std::unique_ptr<Store> store_;
};

}  // namespace prewarm
