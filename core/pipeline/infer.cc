// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/infer.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_format.h"

#include "core/base/status_macros.h"
#include "core/heads/object_map.h"
#include "core/heads/similarity.h"
#include "core/heads/to_vector.h"
#include "core/pipeline/model_defaults.h"
#include "core/pipeline/read_heads.h"
#include "core/pipeline/stopwatch.h"
#include "core/pipeline/torch_guard.h"

namespace objectdino {
namespace {

using Batch = absl::Span<const PreparedImage* const>;
using Results = std::vector<absl::StatusOr<InferredImage>>;

// [B, 3, H, W]; borrows the input of a batch of one.
at::Tensor InputTensor(Batch batch) {
  std::vector<at::Tensor> inputs;
  inputs.reserve(batch.size());
  for (const PreparedImage* image : batch) {
    const PreprocessedImage& input = image->input;
    inputs.push_back(at::from_blob(const_cast<float*>(input.input.data()),
                                   {1, 3, input.grid.input_height(), input.grid.input_width()},
                                   at::kFloat));
  }
  return inputs.size() == 1 ? inputs.front() : at::cat(inputs);
}

absl::StatusOr<ForwardResult> Forward(const VisionTransformer& backbone, const at::Tensor& input,
                                      absl::FunctionRef<bool()> stop) {
  ForwardResult forward = backbone.Forward(input, {.stop = [stop] { return stop(); }});
  if (forward.stopped) return absl::CancelledError("stopped between two layers");
  return forward;
}

// Of one image of the batch; views.
std::vector<LayerTap> TapsOf(const ForwardResult& forward, int64_t index) {
  std::vector<LayerTap> taps;
  taps.reserve(forward.taps.size());
  for (const LayerTap& tap : forward.taps) {
    taps.push_back({.layer = tap.layer,
                    .qkv = tap.qkv.narrow(0, index, 1),  // [1, T, 3, H, d]
                    .rotation = tap.rotation});
  }
  return taps;
}

// Nothing stands out, by what the network makes of the image: says so. `unit_tokens` is [N, D].
bool AllAlike(const at::Tensor& unit_tokens, const ModelConfig& model,
              std::vector<Warning>& warnings) {
  const std::optional<double> threshold = DefaultsOf(model).alike_patches;
  if (model.random_weights || !threshold) return false;
  // The mean of all pairs' cosines is the squared length of the mean vector.
  const double cosine = unit_tokens.mean(0).square().sum().item<double>();
  if (cosine < *threshold) return false;
  warnings.push_back({WarningCode::kNoClearObject,
                      absl::StrFormat("all patches look alike (mean cosine %.3f)", cosine)});
  return true;
}

// All but the evidence. `tokens` [T, D] are those of the image.
absl::StatusOr<InferredImage> ReadTokens(const at::Tensor& tokens, const PreparedImage& image,
                                         const ModelConfig& model) {
  InferredImage inferred;
  const at::Tensor unit = UnitVectors(tokens.slice(0, model.prefix_tokens()));  // [N, D]
  inferred.tokens = ToVector(unit);
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(inferred.tokens));
  inferred.alike = !image.blank && AllAlike(unit, model, inferred.warnings);
  return inferred;
}

// Averages the objectness with what the mirror image shows.
absl::Status AddMirror(const std::vector<LayerTap>& taps, const PreparedImage& image,
                       const ModelConfig& model, HeadEvidence& evidence) {
  GroundOptions objectness_only = image.options;
  objectness_only.head_maps = false;
  objectness_only.embedding_source = EmbeddingSource::kFinalLayer;
  OBJECTDINO_ASSIGN_OR_RETURN(const HeadEvidence mirrored,
                              ReadHeads(taps, image.input.grid, model, objectness_only));
  evidence.objectness = MirrorMean(evidence.objectness, mirrored.objectness, image.input.grid);
  return absl::OkStatus();
}

// A fault of one image stays its own: `read` fills what is there already.
template <typename Read>
void Refine(absl::StatusOr<InferredImage>& result, const Read& read) {
  if (!result.ok()) return;
  const absl::Status status = TorchGuard<absl::Status>([&] { return read(*result); });
  if (!status.ok()) result = status;
}

// The second pass, over the mirror images of those that ask for it.
absl::Status AddMirrors(const VisionTransformer& backbone, Batch batch,
                        absl::FunctionRef<bool()> stop, Results& results) {
  std::vector<const PreparedImage*> mirrored;
  std::vector<absl::StatusOr<InferredImage>*> of_mirrored;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!batch[i]->options.mirror || !results[i].ok()) continue;
    mirrored.push_back(batch[i]);
    of_mirrored.push_back(&results[i]);
  }
  if (mirrored.empty()) return absl::OkStatus();
  Stopwatch watch;
  OBJECTDINO_ASSIGN_OR_RETURN(const ForwardResult forward,
                              Forward(backbone, InputTensor(mirrored).flip({3}), stop));
  for (size_t i = 0; i < mirrored.size(); ++i) {
    Refine(*of_mirrored[i], [&](InferredImage& inferred) {
      return AddMirror(TapsOf(forward, static_cast<int64_t>(i)), *mirrored[i], backbone.config(),
                       inferred.evidence);
    });
  }
  const double ms = watch.Lap();  // nearly all of it is the backbone's
  for (absl::StatusOr<InferredImage>* result : of_mirrored) {
    if (result->ok()) (*result)->backbone_ms += ms;
  }
  return absl::OkStatus();
}

// A fault of all images is the status. B images, L layers, H heads, N patches, D width.
absl::StatusOr<Results> Infer(const VisionTransformer& backbone, Batch batch,
                              absl::FunctionRef<bool()> stop) {
  const ModelConfig& model = backbone.config();
  Stopwatch watch;
  OBJECTDINO_ASSIGN_OR_RETURN(ForwardResult forward,  // q, k, v of L layers, tokens [B, T, D]
                              Forward(backbone, InputTensor(batch), stop));
  Results results;
  for (size_t i = 0; i < batch.size(); ++i) {
    results.push_back(TorchGuard<absl::StatusOr<InferredImage>>(
        [&] { return ReadTokens(forward.tokens[static_cast<int64_t>(i)], *batch[i], model); }));
  }
  const double backbone_ms = watch.Lap();
  for (size_t i = 0; i < batch.size(); ++i) {
    Refine(results[i], [&](InferredImage& inferred) {
      OBJECTDINO_ASSIGN_OR_RETURN(
          inferred.evidence,  // object heads, objectness [N], affinity [N, N]: what is needed
          ReadHeads(TapsOf(forward, static_cast<int64_t>(i)), batch[i]->input.grid, model,
                    batch[i]->options));
      inferred.batch_size = static_cast<int>(batch.size());
      inferred.backbone_ms = backbone_ms;
      return absl::OkStatus();
    });
    const double heads_ms = watch.Lap();
    if (results[i].ok()) results[i]->heads_ms = heads_ms;
  }
  forward = {};
  OBJECTDINO_RETURN_IF_ERROR(AddMirrors(backbone, batch, stop, results));
  return results;
}

}  // namespace

std::vector<absl::StatusOr<InferredImage>> InferBatch(const VisionTransformer& backbone,
                                                      absl::Span<const PreparedImage* const> batch,
                                                      absl::FunctionRef<bool()> stop) {
  if (batch.empty()) return {};
  absl::StatusOr<Results> results =
      TorchGuard<absl::StatusOr<Results>>([&] { return Infer(backbone, batch, stop); });
  if (results.ok()) return *std::move(results);
  return Results(batch.size(), absl::StatusOr<InferredImage>(results.status()));
}

absl::StatusOr<double> TimeForward(const VisionTransformer& backbone,
                                   const PreparedImage& prepared) {
  return TorchGuard<absl::StatusOr<double>>([&] {
    const PreparedImage* const batch[] = {&prepared};
    const at::Tensor pixels = InputTensor(batch);
    Stopwatch watch;
    ToVector(backbone.Forward(pixels, {.taps = false}).tokens[0]);  // waits for the device
    return watch.Lap();
  });
}

}  // namespace objectdino
