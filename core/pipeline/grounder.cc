// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/grounder.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <new>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "c10/core/InferenceMode.h"
#include "c10/util/Exception.h"

#include "core/base/status_macros.h"
#include "core/heads/object_map.h"
#include "core/heads/similarity.h"
#include "core/heads/to_vector.h"
#include "core/pipeline/head_evidence.h"
#include "core/pipeline/methods.h"
#include "core/pipeline/objects_of_map.h"
#include "core/pipeline/pixel_masks.h"
#include "core/vit/vision_transformer.h"
#include "core/weights/checkpoint.h"

namespace objectdino {
namespace {

constexpr float kUniformContrast = 2.0f / 255;  // below this an image is one flat colour
// Mean cosine of all pairs of final tokens from which on an image shows nothing that stands out: at
// most 0.93 on 326 photographs, at least 0.94 on gray, noise and gradients (docs/discovery.md).
constexpr double kAlikePatches = 0.94;

class Stopwatch {
 public:
  // Milliseconds since the last lap.
  double Lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// [1, 3, H, W] that borrows `image.input`.
at::Tensor InputTensor(const PreprocessedImage& image) {
  return at::from_blob(const_cast<float*>(image.input.data()),
                       {1, 3, image.grid.input_height(), image.grid.input_width()}, at::kFloat);
}

// The image cannot show an object: says why.
bool IsBlank(const PreprocessedImage& input, const Image& image, int patch_size,
             std::vector<Warning>& warnings) {
  if (std::min(image.height, image.width) < patch_size) {
    warnings.push_back(
        {WarningCode::kImageTooSmall,
         absl::StrCat("the image is ", image.height, " x ", image.width,
                      " pixels (height x width), less than a patch of ", patch_size)});
  }
  if (input.contrast >= kUniformContrast) return false;
  warnings.push_back({WarningCode::kNoClearObject, "the image is one flat colour"});
  return true;
}

// Nothing stands out, by what the network makes of the image: says so. `unit_tokens` is [N, D].
bool AllAlike(const at::Tensor& unit_tokens, std::vector<Warning>& warnings) {
  // The mean of all pairs' cosines is the squared length of the mean vector.
  const double cosine = unit_tokens.mean(0).square().sum().item<double>();
  if (cosine < kAlikePatches) return false;
  warnings.push_back({WarningCode::kNoClearObject,
                      absl::StrFormat("all patches look alike (mean cosine %.3f)", cosine)});
  return true;
}

}  // namespace

struct Grounder::State {
  std::string model_name;
  std::string weights_digest;
  std::string device;
  std::unique_ptr<VisionTransformer> backbone;

  // Averages evidence.objectness with what the mirror image shows.
  absl::Status AddMirror(const PreprocessedImage& input, const GroundOptions& options,
                         HeadEvidence& evidence) const {
    const ForwardResult forward = backbone->Forward(InputTensor(input).flip({3}), {});
    GroundOptions objectness_only = options;
    objectness_only.head_maps = false;
    objectness_only.embedding_source = EmbeddingSource::kFinalLayer;
    OBJECTDINO_ASSIGN_OR_RETURN(
        const HeadEvidence mirrored,
        ReadHeads(forward.taps, input.grid, backbone->config(), objectness_only));
    evidence.objectness = MirrorMean(evidence.objectness, mirrored.objectness, input.grid);
    return absl::OkStatus();
  }

  // The method, step by step. L layers, H heads, N patches, D width.
  absl::StatusOr<Grounding> Ground(const Image& image, const GroundOptions& options) const {
    const ModelConfig& model = backbone->config();
    Stopwatch watch;
    Grounding result;
    result.image = image.size();
    if (model.random_weights) {
      result.warnings.push_back({WarningCode::kRandomWeights, "the model's weights are random"});
    }

    const PreprocessedImage input =  // [3, rows * patch, cols * patch]
        Preprocess(image, options.resize_mode, options.input_size, model.patch_size);
    result.grid = input.grid;
    bool blank = IsBlank(input, image, model.patch_size, result.warnings);
    result.timings.preprocess_ms = watch.Lap();

    ForwardResult forward = backbone->Forward(InputTensor(input), {});  // q, k, v of L layers
    const at::Tensor patches = forward.tokens[0].slice(0, model.prefix_tokens());  // [N, D]
    const at::Tensor unit = UnitVectors(patches);                                  // [N, D]
    const std::vector<float> tokens = ToVector(unit);
    OBJECTDINO_RETURN_IF_ERROR(CheckFinite(tokens));
    blank = blank || (!model.random_weights && AllAlike(unit, result.warnings));
    result.timings.backbone_ms = watch.Lap();

    OBJECTDINO_ASSIGN_OR_RETURN(
        HeadEvidence evidence,  // object heads, objectness [N], affinity [N, N]: what is needed
        ReadHeads(forward.taps, input.grid, model, options));
    result.cls_attention = evidence.cls_attention;
    forward.taps.clear();
    result.timings.heads_ms = watch.Lap();
    if (options.mirror) {
      OBJECTDINO_RETURN_IF_ERROR(AddMirror(input, options, evidence));
      result.timings.backbone_ms += watch.Lap();  // nearly all of it
    }
    result.heads = std::move(evidence.heads);
    const std::vector<float> head_values = std::move(evidence.head_values);
    result.head_clusters = std::move(evidence.clusters);
    result.head_maps = std::move(evidence.maps);

    Discovery found;  // objectness [N], regions
    if (!blank) {
      OBJECTDINO_ASSIGN_OR_RETURN(found, DiscoverObjects(std::move(evidence), input.grid, options));
    }
    found.objectness.resize(input.grid.size(), 0.0f);
    result.warnings.insert(result.warnings.end(), found.warnings.begin(), found.warnings.end());
    const PatchVectors unit_tokens{tokens, model.width};
    const PatchVectors unit_values{head_values,
                                   static_cast<int>(result.heads.size()) * model.head_dim()};
    const bool of_heads = options.embedding_source == EmbeddingSource::kObjectHeads;
    const PatchVectors& embedding = of_heads ? unit_values : unit_tokens;
    result.objects = ObjectsOfRegions(std::move(found.regions), found.objectness, unit_tokens,
                                      embedding, input.grid, image.size(), options);
    result.objectness = std::move(found.objectness);
    result.embedding_source = options.embedding_source;
    result.embedding_width = embedding.width;
    if (options.patch_embeddings) {
      result.patch_vectors.assign(embedding.values.begin(), embedding.values.end());
    }
    result.timings.objects_ms = watch.Lap();
    if (options.pixel_masks) {
      OBJECTDINO_RETURN_IF_ERROR(AddPixelMasks(image, options, result));
      result.timings.masks_ms = watch.Lap();
    }
    return result;
  }
};

Grounder::Grounder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Grounder::~Grounder() = default;

absl::StatusOr<std::unique_ptr<Grounder>> Grounder::Load(const GrounderOptions& options) {
  try {
    const c10::InferenceMode inference;
    OBJECTDINO_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(options.model_dir));
    auto state = std::make_unique<State>();
    OBJECTDINO_ASSIGN_OR_RETURN(state->backbone,
                                VisionTransformer::Create(checkpoint, options.device));
    const std::filesystem::path folder =
        std::filesystem::absolute(options.model_dir).lexically_normal();
    state->model_name = folder.has_filename() ? folder.filename() : folder.parent_path().filename();
    state->weights_digest = checkpoint.digest();
    state->device = options.device;
    return std::unique_ptr<Grounder>(new Grounder(std::move(state)));
  } catch (const c10::OutOfMemoryError&) {
    return absl::ResourceExhaustedError("out of device memory while loading the model");
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory while loading the model");
  } catch (const c10::Error& error) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.model_dir, ": ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(options.model_dir, ": ", error.what()));
  }
}

namespace {

// The wall against exceptions: runs `compute` and turns what escapes into a Status.
template <typename Result, typename Compute>
Result Guard(const Compute& compute) {
  try {
    const c10::InferenceMode inference;
    return compute();
  } catch (const c10::OutOfMemoryError&) {
    return absl::ResourceExhaustedError("out of device memory");
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const c10::Error& error) {
    return absl::InternalError(error.what_without_backtrace());
  } catch (const std::exception& error) {  // OpenCV's and Spectra's among them
    return absl::InternalError(error.what());
  }
}

absl::Status CheckImage(const Image& image) {
  if (image.height < 1 || image.width < 1 ||
      image.rgb.size() !=
          static_cast<size_t>(image.height) * static_cast<size_t>(image.width) * 3) {
    return absl::InvalidArgumentError("image is empty or its size does not fit its pixels");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Grounding> Grounder::Ground(const Image& image, const GroundOptions& options) const {
  OBJECTDINO_RETURN_IF_ERROR(CheckImage(image));
  OBJECTDINO_RETURN_IF_ERROR(options.Validate(model()));
  return Guard<absl::StatusOr<Grounding>>([&] { return state_->Ground(image, options); });
}

absl::StatusOr<double> Grounder::TimeBackbone(const Image& image,
                                              const GroundOptions& options) const {
  OBJECTDINO_RETURN_IF_ERROR(CheckImage(image));
  OBJECTDINO_RETURN_IF_ERROR(options.Validate(model()));
  return Guard<absl::StatusOr<double>>([&] {
    const PreprocessedImage input =
        Preprocess(image, options.resize_mode, options.input_size, model().patch_size);
    const at::Tensor pixels = InputTensor(input);
    Stopwatch watch;
    ToVector(state_->backbone->Forward(pixels, {.taps = false}).tokens[0]);  // waits for the device
    return watch.Lap();
  });
}

const ModelConfig& Grounder::model() const { return state_->backbone->config(); }
const std::string& Grounder::weights_digest() const { return state_->weights_digest; }
const std::string& Grounder::model_name() const { return state_->model_name; }
const std::string& Grounder::device() const { return state_->device; }

}  // namespace objectdino
