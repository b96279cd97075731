// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/corloc.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <new>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

#include "core/base/status_macros.h"
#include "core/image/decode.h"

namespace objectdino {
namespace {

absl::StatusOr<Prediction> PredictOrThrow(const Grounder& grounder, const Sample& sample,
                                          const GroundOptions& options) {
  std::ifstream file(sample.image_path, std::ios::binary);
  if (!file) return absl::NotFoundError("cannot be read");
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  DecodeOptions decode;
  decode.allow_truncated = true;
  OBJECTDINO_ASSIGN_OR_RETURN(const DecodedImage decoded, DecodeImage(bytes, decode));
  OBJECTDINO_ASSIGN_OR_RETURN(const Grounding grounding, grounder.Ground(decoded.image, options));
  Prediction prediction;
  prediction.name = sample.name;
  prediction.image = grounding.image;
  prediction.found = !grounding.objects.empty();
  prediction.box = prediction.found ? grounding.objects.front().box
                                    : Box{0, 0, static_cast<float>(grounding.image.width),
                                          static_cast<float>(grounding.image.height)};
  prediction.iou = BestIou(prediction.box, sample.boxes);
  return prediction;
}

// What the lanes share.
struct Progress {
  absl::Mutex mutex;
  absl::Status first_error ABSL_GUARDED_BY(mutex);
  int done ABSL_GUARDED_BY(mutex) = 0;
};

// An exception must not leave a thread.
absl::StatusOr<Prediction> Predict(const Grounder& grounder, const Sample& sample,
                                   const GroundOptions& options) {
  try {
    return PredictOrThrow(grounder, sample, options);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  }
}

}  // namespace

CorLoc SummarizeIous(absl::Span<const double> ious) {
  CorLoc summary;
  summary.n = static_cast<int>(ious.size());
  if (ious.empty()) return summary;
  const double percent = 100.0 / static_cast<double>(ious.size());
  for (const double iou : ious) {
    summary.corloc += iou >= 0.5 ? percent : 0;
    summary.iou70 += iou >= 0.7 ? percent : 0;
    summary.mean_iou += iou / static_cast<double>(ious.size());
  }
  return summary;
}

double BestIou(const Box& box, absl::Span<const Box> truth) {
  double best = 0;
  for (const Box& candidate : truth) best = std::max(best, BoxIou(box, candidate));
  return best;
}

absl::StatusOr<std::vector<Prediction>> PredictBoxes(const Grounder& grounder,
                                                     absl::Span<const Sample> samples,
                                                     const GroundOptions& options, int lanes,
                                                     const std::function<void(int)>& progress) {
  std::vector<Prediction> predictions(samples.size());
  std::atomic<size_t> next = 0;
  Progress state;
  const auto lane = [&] {
    for (size_t i = next++; i < samples.size(); i = next++) {
      absl::StatusOr<Prediction> prediction = Predict(grounder, samples[i], options);
      const absl::MutexLock lock(&state.mutex);
      if (!state.first_error.ok()) return;
      if (!prediction.ok()) {
        state.first_error =
            absl::Status(prediction.status().code(),
                         absl::StrCat(samples[i].name, ": ", prediction.status().message()));
        return;
      }
      predictions[i] = *std::move(prediction);
      progress(++state.done);
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < std::max(1, lanes); ++i) threads.emplace_back(lane);
  }
  const absl::MutexLock lock(&state.mutex);
  if (!state.first_error.ok()) return state.first_error;
  return predictions;
}

}  // namespace objectdino
