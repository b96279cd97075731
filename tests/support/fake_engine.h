// SPDX-License-Identifier: Apache-2.0
// A grounding engine without a model: finds one object, blocks or fails on demand.
#ifndef OBJECTDINO_TESTS_SUPPORT_FAKE_ENGINE_H_
#define OBJECTDINO_TESTS_SUPPORT_FAKE_ENGINE_H_

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"

#include "core/base/mutex.h"
#include "server/engine.h"

namespace objectdino::testing {

inline ModelFacts FakeModelFacts() {
  ModelFacts facts;
  facts.name = "fake";
  facts.weights_sha256 = std::string(64, 'a');
  facts.device = "cpu";
  facts.torch_version = "none";
  facts.config.layers = 12;
  facts.config.heads = 6;
  facts.config.width = 4;
  facts.config.patch_size = 14;
  return facts;
}

// 2 x 3 patches; the object covers patches 1 and 4, the middle column. Three clusters of heads;
// head maps are k / 2048 for the k-th value. Its pixel mask is no code.
inline Grounding FakeGrounding(ImageSize image, bool patch_embeddings, bool head_maps = false) {
  Grounding grounding;
  grounding.image = image;
  grounding.grid = {2, 3, 14};
  GroundedObject object;
  object.score = 0.5;
  object.box = {static_cast<float>(image.width) / 3, 0, static_cast<float>(image.width) * 2 / 3,
                static_cast<float>(image.height)};
  object.mask = {0, 1, 0, 0, 1, 0};
  object.anchor = {static_cast<float>(image.width) / 2, static_cast<float>(image.height) / 4};
  object.patches = 2;
  object.embedding = {0.5, -0.5, 0.5, 0.5};
  object.pixel_mask = "mask";
  grounding.objects = {object};
  grounding.objectness = {0, 1, 0.25, 0, 0.75, 0};
  grounding.cls_attention = {0.05F, 0.4F, 0.1F, 0.05F, 0.3F, 0.1F};
  grounding.heads = {{10, 2}, {11, 0}};
  for (int i = 0; i < 12 * 6; ++i) grounding.head_clusters.push_back(1 + i / 6 % 2);
  for (const HeadRef& head : grounding.heads) {
    grounding.head_clusters[head.layer * 6 + head.head] = 0;
  }
  if (head_maps) {
    for (int k = 0; k < 12 * 6 * 3 * 6; ++k) {
      grounding.head_maps.push_back(static_cast<float>(k) / 2048);
    }
  }
  grounding.embedding_width = 4;
  if (patch_embeddings) {
    for (int i = 0; i < 6 * 4; ++i) grounding.patch_vectors.push_back(static_cast<float>(i));
  }
  grounding.timings.backbone_ms = 7;
  return grounding;
}

// Thread-safe. Infer is the stage that is counted, blocks and fails.
class FakeEngine final : public GroundingEngine {
 public:
  absl::StatusOr<PreparedImage> Prepare(Image image, const GroundOptions& options) const override {
    PreparedImage prepared;
    prepared.options = options;
    prepared.size = image.size();
    prepared.input.grid = {2, 3, 14};
    return prepared;
  }

  std::vector<absl::StatusOr<InferredImage>> Infer(absl::Span<const PreparedImage* const> batch,
                                                   absl::FunctionRef<bool()> stop) const override {
    const MutexLock lock(mutex_);
    calls_ += static_cast<int>(batch.size());
    batches_.push_back(static_cast<int>(batch.size()));
    called_.NotifyAll();
    // An engine looks between two layers; this one ten times a second or when it is released.
    while (blocked_ && !stop()) {
      released_.WaitUntil(mutex_, absl::Now() + absl::Milliseconds(100));
    }
    absl::Status status = status_;
    if (blocked_) status = absl::CancelledError("stopped");
    if (static_cast<int>(batch.size()) > memory_for_) {
      status = absl::ResourceExhaustedError("out of memory");
    }
    std::vector<absl::StatusOr<InferredImage>> results;
    for (size_t i = 0; i < batch.size(); ++i) {
      if (status.ok()) {
        results.emplace_back(InferredImage());
        results.back()->batch_size = static_cast<int>(batch.size());
      } else {
        results.emplace_back(status);
      }
    }
    return results;
  }

  absl::StatusOr<Grounding> Finish(PreparedImage prepared, InferredImage inferred,
                                   absl::FunctionRef<bool()> /*stop*/) const override {
    const GroundOptions& options = prepared.options;
    Grounding grounding = FakeGrounding(prepared.size, options.patch_embeddings, options.head_maps);
    grounding.embedding_source = options.embedding_source;
    grounding.timings.batch_size = inferred.batch_size;
    const MutexLock lock(mutex_);
    if (finish_status_.code() != absl::StatusCode::kOk) return finish_status_;
    if (mask_bytes_ > 0) grounding.objects[0].pixel_mask.assign(mask_bytes_, '0');
    if (blank_) {
      grounding.objects.clear();
      grounding.warnings.push_back({WarningCode::kLowConfidence, "blank"});
    }
    return grounding;
  }

  const ModelFacts& facts() const override { return facts_; }

  // Calls wait inside until Release, or until nobody waits for them.
  void Block() { Set(&blocked_, true); }
  void Release() { Set(&blocked_, false); }
  // From now on: no object and LOW_CONFIDENCE.
  void FindNothing() { Set(&blank_, true); }
  void FailWith(absl::Status status) {
    const MutexLock lock(mutex_);
    status_ = std::move(status);
  }
  // The last stage fails so.
  void FailAtTheEndWith(absl::Status status) {
    const MutexLock lock(mutex_);
    finish_status_ = std::move(status);
  }
  // Pixel masks have this size; they are sent where they are asked for.
  void MakeMasksOf(size_t bytes) {
    const MutexLock lock(mutex_);
    mask_bytes_ = bytes;
  }
  // Larger batches run out of memory.
  void HaveMemoryFor(int images) {
    const MutexLock lock(mutex_);
    memory_for_ = images;
  }
  // Images that were computed, or were begun to be.
  int calls() const {
    const MutexLock lock(mutex_);
    return calls_;
  }
  std::vector<int> batches() const {
    const MutexLock lock(mutex_);
    return batches_;
  }
  void WaitForFirstCall() const { WaitForCalls(1); }
  void WaitForCalls(int count) const {
    const MutexLock lock(mutex_);
    while (calls_ < count) called_.Wait(mutex_);
  }

 private:
  void Set(bool* flag, bool value) {
    const MutexLock lock(mutex_);
    *flag = value;
    released_.NotifyAll();
  }

  const ModelFacts facts_ = FakeModelFacts();
  mutable Mutex mutex_;
  mutable CondVar called_;
  mutable CondVar released_;
  mutable int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::vector<int> batches_ ABSL_GUARDED_BY(mutex_);
  bool blocked_ = false;  // guarded by mutex_, set through a pointer
  bool blank_ = false;    // the same
  absl::Status finish_status_ ABSL_GUARDED_BY(mutex_);
  size_t mask_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int memory_for_ ABSL_GUARDED_BY(mutex_) = 1 << 20;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_FAKE_ENGINE_H_
