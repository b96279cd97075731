// SPDX-License-Identifier: Apache-2.0
#include "server/metrics.h"

#include <algorithm>

#include "server/version.h"

namespace objectdino {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

// From a stage of a small image to a large one on a slow machine.
const prometheus::Histogram::BucketBoundaries& SecondBuckets() {
  static const auto* const kBuckets = new prometheus::Histogram::BucketBoundaries{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
  return *kBuckets;
}

// Registers `metric` as a family built by `builder`.
template <typename Builder>
auto& Register(Builder builder, const MetricName& metric, prometheus::Registry& registry) {
  return builder.Name(metric.name).Help(metric.help).Register(registry);
}

prometheus::Counter& Rejected(const char* reason, prometheus::Registry& registry) {
  return Register(BuildCounter(), kRejected, registry).Add({{"reason", reason}});
}

}  // namespace

Metrics::Metrics(const ModelFacts& model)
    : registry_(std::make_shared<prometheus::Registry>(
          prometheus::Registry::InsertBehavior::Merge)),  // two reasons, one family
      requests_(Register(BuildCounter(), kRequests, *registry_)),
      request_seconds_(Register(BuildHistogram(), kRequestSeconds, *registry_)),
      stage_seconds_(Register(BuildHistogram(), kStageSeconds, *registry_)),
      rejected_inflight_(Rejected("inflight", *registry_)),
      rejected_draining_(Rejected("draining", *registry_)),
      empty_results_(Register(BuildCounter(), kEmptyResults, *registry_).Add({})),
      low_confidence_(Register(BuildCounter(), kLowConfidence, *registry_).Add({})),
      inflight_(Register(BuildGauge(), kInFlight, *registry_).Add({})),
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

void Metrics::ObserveStage(const std::string& stage, double seconds) {
  stage_seconds_.Add({{"stage", stage}}, SecondBuckets()).Observe(seconds);
}

void Metrics::CountRejection(Rejection reason) {
  (reason == Rejection::kNoPlace ? rejected_inflight_ : rejected_draining_).Increment();
}

void Metrics::CountResult(const Grounding& grounding) {
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
