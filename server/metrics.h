// SPDX-License-Identifier: Apache-2.0
// What /metrics shows. Every name is in kMetrics, and nowhere else; labels are bounded.
#ifndef OBJECTDINO_SERVER_METRICS_H_
#define OBJECTDINO_SERVER_METRICS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>
#include <utility>

#include "core/batching/batch.h"
#include "server/engine.h"

namespace objectdino {

struct MetricName {
  const char* name;
  const char* help;
};

inline constexpr MetricName kRequests = {
    "objectdino_requests_total",
    "RPCs answered, by method and gRPC code; each image of a stream counts as one"};
inline constexpr MetricName kRequestSeconds = {"objectdino_request_seconds",
                                               "Wall time of an RPC in the server"};
inline constexpr MetricName kStageSeconds = {"objectdino_stage_seconds",
                                             "Wall time of a stage of an image"};
inline constexpr MetricName kBatchSize = {"objectdino_batch_size", "Images in a forward pass"};
inline constexpr MetricName kBatchTokens = {"objectdino_batch_tokens",
                                            "Patch tokens in a forward pass"};
inline constexpr MetricName kBatchClose = {"objectdino_batch_close_total",
                                           "Batches, by why they were closed"};
inline constexpr MetricName kQueueDepth = {"objectdino_queue_depth",
                                           "Images admitted whose computation has not begun"};
inline constexpr MetricName kInFlight = {"objectdino_inflight",
                                         "Images in the house, from admission to answer"};
inline constexpr MetricName kInFlightBytes = {
    "objectdino_inflight_bytes", "What the images in the house hold: requests, pixels, answers"};
inline constexpr MetricName kRejected = {"objectdino_rejected_total",
                                         "Images turned away, by reason"};
inline constexpr MetricName kCancelled = {
    "objectdino_cancelled_total",
    "Images whose caller had gone or whose deadline had passed, by the stage that noticed"};
inline constexpr MetricName kWasted = {"objectdino_wasted_inferences_total",
                                       "Forward passes of images that nobody waited for any more"};
inline constexpr MetricName kRequestBytes = {"objectdino_request_bytes", "Size of a request"};
inline constexpr MetricName kResponseBytes = {"objectdino_response_bytes", "Size of an answer"};
inline constexpr MetricName kObjectsPerImage = {"objectdino_objects_per_image",
                                                "Objects found in an image"};
inline constexpr MetricName kEmptyResults = {"objectdino_empty_results_total",
                                             "Images in which no object was found"};
inline constexpr MetricName kLowConfidence = {"objectdino_low_confidence_total",
                                              "Answers with the warning LOW_CONFIDENCE or "
                                              "NO_CLEAR_OBJECT"};
inline constexpr MetricName kModelReady = {"objectdino_model_ready",
                                           "1 while the server takes requests"};
inline constexpr MetricName kBuildInfo = {"objectdino_build_info", "What is served; always 1"};

inline constexpr MetricName kMetrics[] = {
    kRequests,     kRequestSeconds, kStageSeconds, kBatchSize,     kBatchTokens,
    kBatchClose,   kQueueDepth,     kInFlight,     kInFlightBytes, kRejected,
    kCancelled,    kWasted,         kRequestBytes, kResponseBytes, kObjectsPerImage,
    kEmptyResults, kLowConfidence,  kModelReady,   kBuildInfo};

// A label of kStageSeconds, in the order of an image's life.
enum class Stage { kQueue, kDecode, kPreprocess, kBackbone, kHeads, kObjects, kMasks, kEncode };
inline constexpr std::array<const char*, 8> kStageNames = {
    "queue", "decode", "preprocess", "backbone", "heads", "objects", "masks", "encode"};

// Why an image was turned away: a label of kRejected.
enum class Rejection { kQueueFull, kBytes, kTooLate, kLateInQueue, kDraining };
inline constexpr std::array<const char*, 5> kRejectionNames = {
    "queue_full", "inflight_bytes", "deadline_at_arrival", "deadline_in_queue", "draining"};

// Where it was noticed that nobody waits any more: a label of kCancelled.
enum class CancelPoint { kDecode, kQueue, kInference, kPost };
inline constexpr std::array<const char*, 4> kCancelPointNames = {"decode", "queue", "inference",
                                                                 "post"};

// Thread-safe. Cost: an observation is a few hundred nanoseconds.
class Metrics {
 public:
  explicit Metrics(const ModelFacts& model);

  // Every answer of an RPC, whatever its code.
  void ObserveRequest(const std::string& method, const std::string& code, double seconds);
  void ObserveStage(Stage stage, double ms);
  void ObserveBatch(int images, int64_t tokens, CloseReason reason);
  void ObserveBytes(int64_t request, int64_t response);
  void CountRejection(Rejection reason);
  void CountCancelled(CancelPoint point);
  void CountWasted() { wasted_.Increment(); }
  void CountResult(const Grounding& grounding);

  prometheus::Gauge& model_ready() { return model_ready_; }

  struct Load {
    int queue_depth = 0;
    int inflight = 0;
    int64_t inflight_bytes = 0;
  };
  // Asked at every scrape, on its thread. Call once, before the first.
  void ReadLoadFrom(std::function<Load()> load) { load_ = std::move(load); }

  // For the scrape endpoint.
  std::shared_ptr<prometheus::Collectable> collectable() const { return collectable_; }

 private:
  class AtScrape;
  std::shared_ptr<prometheus::Collectable> collectable_;
  std::shared_ptr<prometheus::Registry> registry_;
  std::function<Load()> load_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& request_seconds_;
  prometheus::Family<prometheus::Histogram>& stage_seconds_;
  prometheus::Family<prometheus::Counter>& batch_close_;
  prometheus::Family<prometheus::Counter>& rejected_;
  prometheus::Family<prometheus::Counter>& cancelled_;
  std::array<prometheus::Counter*, kRejectionNames.size()> rejections_;
  std::array<prometheus::Counter*, kCancelPointNames.size()> cancel_points_;
  prometheus::Histogram& batch_size_;
  prometheus::Histogram& batch_tokens_;
  prometheus::Histogram& request_bytes_;
  prometheus::Histogram& response_bytes_;
  prometheus::Histogram& objects_;
  prometheus::Counter& wasted_;
  prometheus::Counter& empty_results_;
  prometheus::Counter& low_confidence_;
  prometheus::Gauge& queue_depth_;
  prometheus::Gauge& inflight_;
  prometheus::Gauge& inflight_bytes_;
  prometheus::Gauge& model_ready_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_METRICS_H_
