// SPDX-License-Identifier: Apache-2.0
#include "server/metrics.h"

#include <algorithm>
#include <vector>

#include "server/version.h"

namespace objectdino {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using Buckets = prometheus::Histogram::BucketBoundaries;

// From a stage of a small image to a large one on a slow machine.
const Buckets& SecondBuckets() {
  static const auto* const kBuckets = new Buckets{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
  return *kBuckets;
}

// Powers of `factor` from `first`.
Buckets Geometric(double first, double factor, int count) {
  Buckets buckets;
  for (double bound = first; count > 0; --count, bound *= factor) buckets.push_back(bound);
  return buckets;
}

// Registers `metric` as a family built by `builder`.
template <typename Builder>
auto& Register(Builder builder, const MetricName& metric, prometheus::Registry& registry) {
  return builder.Name(metric.name).Help(metric.help).Register(registry);
}

prometheus::Histogram& AddHistogram(const MetricName& metric, const Buckets& buckets,
                                    prometheus::Registry& registry) {
  return Register(BuildHistogram(), metric, registry).Add({}, buckets);
}

// One counter a name, all of them there from the start, so that rates are right.
template <size_t count>
std::array<prometheus::Counter*, count> AddCounters(prometheus::Family<prometheus::Counter>& family,
                                                    const char* label,
                                                    const std::array<const char*, count>& names) {
  std::array<prometheus::Counter*, count> counters{};
  for (size_t i = 0; i < count; ++i) counters[i] = &family.Add({{label, names[i]}});
  return counters;
}

}  // namespace

// The registry, with the gauges of the load read on the way.
class Metrics::AtScrape final : public prometheus::Collectable {
 public:
  explicit AtScrape(Metrics& metrics) : metrics_(metrics) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    if (metrics_.load_ != nullptr) {
      const Load load = metrics_.load_();
      metrics_.queue_depth_.Set(load.queue_depth);
      metrics_.inflight_.Set(load.inflight);
      metrics_.inflight_bytes_.Set(static_cast<double>(load.inflight_bytes));
    }
    return metrics_.registry_->Collect();
  }

 private:
  Metrics& metrics_;
};

Metrics::Metrics(const ModelFacts& model)
    : collectable_(std::make_shared<AtScrape>(*this)),
      registry_(std::make_shared<prometheus::Registry>()),
      requests_(Register(BuildCounter(), kRequests, *registry_)),
      request_seconds_(Register(BuildHistogram(), kRequestSeconds, *registry_)),
      stage_seconds_(Register(BuildHistogram(), kStageSeconds, *registry_)),
      batch_close_(Register(BuildCounter(), kBatchClose, *registry_)),
      rejected_(Register(BuildCounter(), kRejected, *registry_)),
      cancelled_(Register(BuildCounter(), kCancelled, *registry_)),
      rejections_(AddCounters(rejected_, "reason", kRejectionNames)),
      cancel_points_(AddCounters(cancelled_, "stage", kCancelPointNames)),
      batch_size_(AddHistogram(kBatchSize, Geometric(1, 2, 8), *registry_)),
      batch_tokens_(AddHistogram(kBatchTokens, Geometric(64, 2, 11), *registry_)),
      request_bytes_(AddHistogram(kRequestBytes, Geometric(1024, 4, 9), *registry_)),
      response_bytes_(AddHistogram(kResponseBytes, Geometric(1024, 4, 9), *registry_)),
      objects_(AddHistogram(kObjectsPerImage, {0, 1, 2, 3, 5, 10, 20, 50, 100}, *registry_)),
      wasted_(Register(BuildCounter(), kWasted, *registry_).Add({})),
      empty_results_(Register(BuildCounter(), kEmptyResults, *registry_).Add({})),
      low_confidence_(Register(BuildCounter(), kLowConfidence, *registry_).Add({})),
      queue_depth_(Register(BuildGauge(), kQueueDepth, *registry_).Add({})),
      inflight_(Register(BuildGauge(), kInFlight, *registry_).Add({})),
      inflight_bytes_(Register(BuildGauge(), kInFlightBytes, *registry_).Add({})),
      model_ready_(Register(BuildGauge(), kModelReady, *registry_).Add({})) {
  Register(BuildGauge(), kBuildInfo, *registry_)
      .Add({{"version", kVersion},
            {"model", model.name},
            {"device", model.device},
            {"dtype", "f32"}})
      .Set(1);
}

void Metrics::ObserveRequest(const std::string& method, const std::string& code, double seconds) {
  requests_.Add({{"method", method}, {"code", code}}).Increment();
  request_seconds_.Add({{"method", method}}, SecondBuckets()).Observe(seconds);
}

void Metrics::ObserveStage(Stage stage, double ms) {
  const char* const name = kStageNames[static_cast<size_t>(stage)];
  stage_seconds_.Add({{"stage", name}}, SecondBuckets()).Observe(ms / 1e3);
}

void Metrics::ObserveBatch(int images, int64_t tokens, CloseReason reason) {
  batch_size_.Observe(images);
  batch_tokens_.Observe(static_cast<double>(tokens));
  batch_close_.Add({{"reason", std::string(CloseReasonName(reason))}}).Increment();
}

void Metrics::ObserveBytes(int64_t request, int64_t response) {
  request_bytes_.Observe(static_cast<double>(request));
  response_bytes_.Observe(static_cast<double>(response));
}

void Metrics::CountRejection(Rejection reason) {
  rejections_[static_cast<size_t>(reason)]->Increment();
}

void Metrics::CountCancelled(CancelPoint point) {
  cancel_points_[static_cast<size_t>(point)]->Increment();
}

void Metrics::CountResult(const Grounding& grounding) {
  objects_.Observe(static_cast<double>(grounding.objects.size()));
  if (grounding.objects.empty()) empty_results_.Increment();
  const auto is_low = [](const Warning& warning) {
    return warning.code == WarningCode::kLowConfidence ||
           warning.code == WarningCode::kNoClearObject;
  };
  if (std::any_of(grounding.warnings.begin(), grounding.warnings.end(), is_low)) {
    low_confidence_.Increment();
  }
}

}  // namespace objectdino
