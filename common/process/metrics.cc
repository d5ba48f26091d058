#include "common/process/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <utility>

#include "common/async/guarded.h"
#include "common/base/check.h"
#include "common/process/process_metrics.h"

namespace prewarm {
namespace {

// One metric that is read at each scrape.
struct ReadMetric {
  std::string name;
  std::string help;
  prometheus::MetricType type = prometheus::MetricType::Gauge;
  ReadSamples read;
};

prometheus::ClientMetric ToClientMetric(MetricSample sample, prometheus::MetricType type) {
  prometheus::ClientMetric metric;
  for (auto& [name, value] : sample.labels) metric.label.push_back({name, std::move(value)});
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = sample.value;
  } else {
    metric.gauge.value = sample.value;
  }
  return metric;
}

prometheus::MetricFamily Collect(const ReadMetric& metric) {
  prometheus::MetricFamily family{metric.name, metric.help, metric.type, {}};
  for (auto& sample : metric.read()) {
    family.metric.push_back(ToClientMetric(std::move(sample), metric.type));
  }
  return family;
}

ReadSamples OneSample(ReadValue read) {
  return [read = std::move(read)] { return std::vector<MetricSample>{{{}, read()}}; };
}

bool IsTotal(const std::string& name) { return name.ends_with("_total"); }

void CheckNames(const std::string& name, const std::string& help, const MetricLabels& labels) {
  const auto good = [](const std::string& text) {
    return !text.empty() &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  };
  PREWARM_CHECK(good(name) && !help.empty(), "a metric has a plain name and an explanation");
  for (const auto& [label, value] : labels) PREWARM_CHECK(good(label), "a label has a plain name");
}

}  // namespace

struct Metrics::Store {
  prometheus::Registry registry;
  Guarded<std::vector<ReadMetric>> read;

  void Add(ReadMetric metric) {
    CheckNames(metric.name, metric.help, {});
    read.With([&metric](std::vector<ReadMetric>& known) {
      const auto same = [&metric](const ReadMetric& other) { return other.name == metric.name; };
      PREWARM_CHECK(std::ranges::none_of(known, same), "a metric is added twice");
      known.push_back(std::move(metric));
    });
  }
};

void Counter::Add(double amount) const { counter_->Increment(amount); }
double Counter::value() const { return counter_->Value(); }
void Gauge::Set(double value) const { gauge_->Set(value); }
void Gauge::Add(double amount) const { gauge_->Increment(amount); }
double Gauge::value() const { return gauge_->Value(); }
void Histogram::Observe(double value) const { histogram_->Observe(value); }

std::vector<double> GrowingBuckets(double first, double factor, std::size_t count) {
  std::vector<double> bounds;
  for (double bound = first; bounds.size() < count; bound *= factor) bounds.push_back(bound);
  return bounds;
}

Metrics::Metrics() : store_(std::make_unique<Store>()) {}
Metrics::~Metrics() = default;

Counter Metrics::AddCounter(const std::string& name, const std::string& help,
                            const MetricLabels& labels) {
  CheckNames(name, help, labels);
  PREWARM_CHECK(IsTotal(name), "a counter's name ends with _total");
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(store_->registry);
  return Counter(family.Add(labels));
}

Gauge Metrics::AddGauge(const std::string& name, const std::string& help,
                        const MetricLabels& labels) {
  CheckNames(name, help, labels);
  PREWARM_CHECK(!IsTotal(name), "only a counter's name ends with _total");
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(store_->registry);
  return Gauge(family.Add(labels));
}

Histogram Metrics::AddHistogram(const std::string& name, const std::string& help,
                                std::vector<double> buckets, const MetricLabels& labels) {
  CheckNames(name, help, labels);
  PREWARM_CHECK(!IsTotal(name), "only a counter's name ends with _total");
  PREWARM_CHECK(std::ranges::is_sorted(buckets), "the bounds of a histogram grow");
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(store_->registry);
  return Histogram(family.Add(labels, std::move(buckets)));
}

void Metrics::ReadGauge(const std::string& name, const std::string& help, ReadValue read) {
  ReadGauges(name, help, OneSample(std::move(read)));
}

void Metrics::ReadGauges(const std::string& name, const std::string& help, ReadSamples read) {
  PREWARM_CHECK(!IsTotal(name), "only a counter's name ends with _total");
  store_->Add({name, help, prometheus::MetricType::Gauge, std::move(read)});
}

void Metrics::ReadCounter(const std::string& name, const std::string& help, ReadValue read) {
  ReadCounters(name, help, OneSample(std::move(read)));
}

void Metrics::ReadCounters(const std::string& name, const std::string& help, ReadSamples read) {
  PREWARM_CHECK(IsTotal(name), "a counter's name ends with _total");
  store_->Add({name, help, prometheus::MetricType::Counter, std::move(read)});
}

void Metrics::AddBuildInfo(const std::string& prefix, const std::string& version) {
  AddGauge(prefix + "_build_info", "1, with the version that runs as a label.",
           {{"version", version}})
      .Set(1);
}

void Metrics::AddProcess() {
  for (const auto& metric : ProcessMetrics()) {
    if (IsTotal(metric.name)) {
      ReadCounter(metric.name, metric.help, metric.read);
    } else {
      ReadGauge(metric.name, metric.help, metric.read);
    }
  }
}

std::string Metrics::Text() const {
  auto families = store_->registry.Collect();
  // Copied, because what reads them may itself be adding a metric somewhere else.
  const auto read = store_->read.With([](const std::vector<ReadMetric>& known) { return known; });
  for (const ReadMetric& metric : read) families.push_back(Collect(metric));
  std::erase_if(families, [](const auto& family) { return family.metric.empty(); });
  std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace prewarm
