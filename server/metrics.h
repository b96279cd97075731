// SPDX-License-Identifier: Apache-2.0
// What /metrics shows. Every name is in kMetrics, and nowhere else; labels are bounded.
#ifndef OBJECTDINO_SERVER_METRICS_H_
#define OBJECTDINO_SERVER_METRICS_H_

#include <memory>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>

#include "server/engine.h"

namespace objectdino {

struct MetricName {
  const char* name;
  const char* help;
};

inline constexpr MetricName kRequests = {"objectdino_requests_total",
                                         "RPCs answered, by method and gRPC code"};
inline constexpr MetricName kRequestSeconds = {"objectdino_request_seconds",
                                               "Wall time of an RPC in the server"};
inline constexpr MetricName kStageSeconds = {"objectdino_stage_seconds",
                                             "Wall time of a stage of Ground"};
inline constexpr MetricName kInFlight = {"objectdino_inflight",
                                         "Ground requests waiting or computed"};
inline constexpr MetricName kRejected = {"objectdino_rejected_total",
                                         "Ground requests turned away, by reason"};
inline constexpr MetricName kEmptyResults = {"objectdino_empty_results_total",
                                             "Images in which no object was found"};
inline constexpr MetricName kLowConfidence = {"objectdino_low_confidence_total",
                                              "Answers with the warning LOW_CONFIDENCE or "
                                              "NO_CLEAR_OBJECT"};
inline constexpr MetricName kModelReady = {"objectdino_model_ready",
                                           "1 while the server takes requests"};
inline constexpr MetricName kBuildInfo = {"objectdino_build_info", "What is served; always 1"};

inline constexpr MetricName kMetrics[] = {kRequests,      kRequestSeconds, kStageSeconds,
                                          kInFlight,      kRejected,       kEmptyResults,
                                          kLowConfidence, kModelReady,     kBuildInfo};

// Why a request was turned away: the label of kRejected, "inflight" or "draining".
enum class Rejection { kNoPlace, kDraining };

// Thread-safe.
class Metrics {
 public:
  explicit Metrics(const ModelFacts& model);

  // Every answer of an RPC, whatever its code.
  void ObserveRequest(const std::string& method, const std::string& code, double seconds);
  // "decode", "preprocess", "queue", "backbone", "heads", "objects", "masks" or "encode".
  void ObserveStage(const std::string& stage, double seconds);
  void CountRejection(Rejection reason);
  void CountResult(const Grounding& grounding);

  prometheus::Gauge& inflight() { return inflight_; }
  prometheus::Gauge& model_ready() { return model_ready_; }

  // For the scrape endpoint.
  std::shared_ptr<prometheus::Registry> registry() const { return registry_; }

 private:
  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& request_seconds_;
  prometheus::Family<prometheus::Histogram>& stage_seconds_;
  prometheus::Counter& rejected_inflight_;
  prometheus::Counter& rejected_draining_;
  prometheus::Counter& empty_results_;
  prometheus::Counter& low_confidence_;
  prometheus::Gauge& inflight_;
  prometheus::Gauge& model_ready_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_METRICS_H_
