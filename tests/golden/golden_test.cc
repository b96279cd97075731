// SPDX-License-Identifier: Apache-2.0
// The method, stage by stage, against files that transformers, scikit-learn and scipy wrote
// (tests/golden/README.md).
//
// A failing test names the first stage that diverges, the largest difference, and how to regenerate
// the files.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "gtest/gtest.h"

#include "core/heads/affinity.h"
#include "core/heads/cls_attention.h"
#include "core/heads/head_vectors.h"
#include "core/heads/object_map.h"
#include "core/heads/selection.h"
#include "core/heads/similarity.h"
#include "core/image/decode.h"
#include "core/image/preprocess.h"
#include "core/objects/lost.h"
#include "core/objects/normalized_cut.h"
#include "core/objects/object_regions.h"
#include "core/objects/otsu.h"
#include "core/pipeline/grounder.h"
#include "core/pipeline/objects_of_map.h"
#include "core/vit/vision_transformer.h"
#include "core/weights/checkpoint.h"
#include "core/weights/safetensors.h"

namespace objectdino {
namespace {

// Largest absolute difference allowed, a stage.
constexpr double kInputTolerance = 3e-5;  // 7e-6 of the range, divided by the deviation
constexpr double kBlockTolerance = 1e-3;
constexpr double kDescriptorTolerance = 1e-5;
constexpr double kHeadMapTolerance = 1e-4;  // of one component of one head
constexpr double kStandardisedTolerance =
    2e-2;  // divides by deviations down to 1e-5 of the descriptors
constexpr double kMapTolerance = 1e-3;
constexpr double kAffinityTolerance = 1e-4;
constexpr double kEigenvalueTolerance = 1e-3;
constexpr double kFiedlerCosine = 1 - 1e-4;
constexpr double kBoxTolerance = 1e-2;  // pixels

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

std::vector<float> ToVector(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kFloat).contiguous();
  return std::vector<float>(flat.const_data_ptr<float>(),
                            flat.const_data_ptr<float>() + flat.numel());
}

struct GoldenCase {
  std::string model;  // folder under tests/golden, or the real model
  std::string scene;

  friend void PrintTo(const GoldenCase& c, std::ostream* out) { *out << c.model << "_" << c.scene; }
};

class GoldenTest : public ::testing::TestWithParam<GoldenCase> {
 protected:
  static std::string Root() { return OBJECTDINO_SOURCE_DIR; }
  static std::string Golden() { return Root() + "/tests/golden/"; }
  bool real() const { return GetParam().model == "dinov2-small"; }
  std::string ModelFolder() const {
    return real() ? Root() + "/models/dinov2-small" : Golden() + GetParam().model;
  }

  void SetUp() override {
    if (!std::filesystem::exists(ModelFolder() + "/config.json")) {
      GTEST_SKIP() << "SKIPPED: " << ModelFolder() << " is missing: run scripts/fetch_model";
    }
    auto file = SafetensorsFile::Open(Golden() + GetParam().model + "_" + GetParam().scene +
                                      ".safetensors");
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
  }

  int Meta(const std::string& key) const { return std::stoi(file_->table().metadata.at(key)); }
  bool Has(const std::string& name) const { return file_->table().tensors.count(name) != 0; }

  template <typename T>
  std::vector<T> Expected(const std::string& name) const {
    const TensorView& view = file_->table().tensors.at(name);
    std::vector<T> values(view.element_count());
    EXPECT_EQ(view.bytes.size(), values.size() * sizeof(T)) << name;
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    return values;
  }

  ::testing::AssertionResult Close(const std::string& stage, const std::vector<float>& actual,
                                   double tolerance) const {
    const std::vector<float> expected = Expected<float>(stage);
    if (actual.size() != expected.size()) {
      return Diverged(stage) << "has " << actual.size() << " values, expected " << expected.size();
    }
    double worst = 0;
    size_t where = 0;
    for (size_t i = 0; i < actual.size(); ++i) {
      const double difference = std::abs(double{actual[i]} - expected[i]);
      if (!(difference <= worst)) {
        worst = difference;
        where = i;
      }
    }
    if (worst <= tolerance) return ::testing::AssertionSuccess();
    return Diverged(stage) << "differs by " << worst << " at " << where << " (" << actual[where]
                           << ", expected " << expected[where] << "; tolerance " << tolerance
                           << ")";
  }

  template <typename T>
  ::testing::AssertionResult Equal(const std::string& stage, const std::vector<T>& actual) const {
    const std::vector<T> expected = Expected<T>(stage);
    if (actual == expected) return ::testing::AssertionSuccess();
    return Diverged(stage) << "is not equal:\nactual   " << ::testing::PrintToString(actual)
                           << "\nexpected " << ::testing::PrintToString(expected);
  }

  // Token matrices [T, D] are stored whole for tiny models, else as a corner and the last rows.
  ::testing::AssertionResult TokensClose(const std::string& stage, const at::Tensor& tokens) const {
    const std::vector<int64_t>& shape = file_->table().tensors.at(stage).shape;
    const at::Tensor corner = tokens.slice(0, 0, shape[0]).slice(1, 0, shape[1]);
    ::testing::AssertionResult result = Close(stage, ToVector(corner), kBlockTolerance);
    const std::string tail = stage + "_tail";
    if (!result || !Has(tail)) return result;
    const std::vector<int64_t>& tail_shape = file_->table().tensors.at(tail).shape;
    return Close(tail, ToVector(tokens.slice(0, -tail_shape[0]).slice(1, 0, tail_shape[1])),
                 kBlockTolerance);
  }

  std::unique_ptr<SafetensorsFile> file_;

 private:
  ::testing::AssertionResult Diverged(const std::string& stage) const {
    return ::testing::AssertionFailure()
           << "first stage that diverges: " << stage << " of " << GetParam().model << "_"
           << GetParam().scene << " (regenerate with scripts/golden): ";
  }
};

std::vector<int32_t> Flatten(const std::vector<HeadRef>& heads) {
  std::vector<int32_t> flat;
  for (const HeadRef& ref : heads) flat.insert(flat.end(), {ref.layer, ref.head});
  return flat;
}

std::vector<float> Flatten(const Box& box) { return {box.x1, box.y1, box.x2, box.y2}; }

double AbsCosine(const std::vector<double>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += double{b[i]} * b[i];
  }
  return std::abs(ab) / std::sqrt(aa * bb);
}

TEST_P(GoldenTest, EveryStageMatches) {
  const c10::InferenceMode inference;
  auto checkpoint = Checkpoint::Open(ModelFolder());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  auto backbone = VisionTransformer::Create(*checkpoint, "cpu");
  ASSERT_TRUE(backbone.ok()) << backbone.status();
  const ModelConfig& model = (*backbone)->config();

  // Image to input.
  auto decoded = DecodeImage(ReadFile(Golden() + file_->table().metadata.at("image")), {});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const ImageSize image = decoded->image.size();
  ASSERT_EQ(image, (ImageSize{Meta("image_height"), Meta("image_width")}));
  const ResizeMode mode = file_->table().metadata.at("resize_mode") == "square"
                              ? ResizeMode::kSquare
                              : ResizeMode::kAspect;
  const PreprocessedImage input =
      Preprocess(decoded->image, mode, Meta("resize_size"), model.patch_size);
  const PatchGrid& grid = input.grid;
  ASSERT_EQ(grid, (PatchGrid{Meta("rows"), Meta("cols"), model.patch_size}));
  const at::Tensor pixels =
      at::from_blob(const_cast<float*>(input.input.data()),
                    {1, 3, grid.input_height(), grid.input_width()}, at::kFloat);
  if (real()) {
    ASSERT_TRUE(
        Close("input_crop", ToVector(pixels[0].slice(1, 0, 28).slice(2, 0, 28)), kInputTolerance));
  } else {
    ASSERT_TRUE(Close("input", input.input, kInputTolerance));
  }

  // Backbone.
  const ForwardResult forward = (*backbone)->Forward(pixels, {.taps = true, .block_outputs = true});
  ASSERT_TRUE(TokensClose("embeddings", forward.block_outputs[0][0]));
  for (int layer = 0; layer < model.layers; ++layer) {
    const at::Tensor& qkv = forward.taps[layer].qkv;  // [1, T, 3, H, d]
    for (int r = 0; r < 3; ++r) {
      const std::string stage = absl::StrCat(std::string(1, "qkv"[r]), "_", layer);
      ASSERT_TRUE(TokensClose(stage, qkv[0].select(1, r).flatten(1)));  // [T, D]
    }
    ASSERT_TRUE(TokensClose(absl::StrCat("block_", layer), forward.block_outputs[layer + 1][0]));
  }
  ASSERT_TRUE(TokensClose("tokens", forward.tokens[0]));

  // Heads.
  const std::vector<float> cls = ClsAttention(forward.taps, model.prefix_tokens());
  ASSERT_TRUE(Close("cls_attention", cls, kMapTolerance));
  std::vector<at::Tensor> unit;
  std::vector<at::Tensor> exact_rows;
  std::vector<HeadVectors> vectors;
  std::vector<float> linear_descriptors;
  for (const LayerTap& tap : forward.taps) {
    unit.push_back(UnitPatches(tap, model.prefix_tokens()));
    exact_rows.push_back(
        ExactDescriptors(unit.back(), 1 / std::sqrt(double{1} * model.head_dim())));
    const at::Tensor patches = tap.qkv[0].slice(0, model.prefix_tokens());  // [N, 3, H, d]
    vectors.push_back(
        MakeHeadVectors({patches.const_data_ptr<float>(), static_cast<size_t>(patches.numel())},
                        grid.size(), model.heads, model.head_dim()));
    const std::vector<float> rows_of_layer = LinearDescriptors(vectors.back());
    linear_descriptors.insert(linear_descriptors.end(), rows_of_layer.begin(), rows_of_layer.end());
  }
  const int rows = model.layers * model.heads;
  std::vector<HeadRef> chosen[2];
  std::vector<float> descriptors[2] = {ToVector(at::cat(exact_rows)), linear_descriptors};
  const char* const kinds[2] = {"exact", "linear"};
  for (int kind = 0; kind < 2; ++kind) {
    const std::string suffix = kinds[kind];
    ASSERT_TRUE(Close("descriptors_" + suffix, descriptors[kind], kDescriptorTolerance));
    ASSERT_TRUE(Close("standardised_" + suffix,
                      StandardizeColumns(descriptors[kind], rows, grid.size()),
                      kStandardisedTolerance));
    auto clusters =
        SelectObjectHeads(descriptors[kind], model.layers, model.heads, grid.size(), 5, 42);
    ASSERT_TRUE(clusters.ok()) << clusters.status();
    const std::vector<int32_t> labels(clusters->labels.begin(), clusters->labels.end());
    ASSERT_TRUE(Equal("labels_" + suffix, labels));
    ASSERT_TRUE(Equal("heads_" + suffix, Flatten(clusters->object_heads)));
    chosen[kind] = clusters->object_heads;
  }
  ASSERT_TRUE(Close("objectness_published",
                    PublishedObjectness(descriptors[0], model.heads, grid.size(), chosen[0]),
                    kMapTolerance));

  // Anchored objectness to its object.
  const std::vector<HeadRef> preset = PresetHeads(model.layers, model.heads);
  const std::pair<std::string, const std::vector<HeadRef>*> anchored[] = {{"", &chosen[1]},
                                                                          {"_preset", &preset}};
  for (const auto& [suffix, heads] : anchored) {
    const std::vector<float> objectness = MinMaxScale(AnchoredEvidence(vectors, *heads, cls, grid));
    ASSERT_TRUE(Close("objectness" + suffix, objectness, kMapTolerance));
    ASSERT_TRUE(Close("otsu_threshold" + suffix, {OtsuThreshold(objectness)}, kMapTolerance));
    const std::vector<Region> regions = RegionsAboveOtsu(objectness, objectness, grid);
    ASSERT_FALSE(regions.empty());
    ASSERT_TRUE(Equal("mask" + suffix, regions.front().mask));
    ASSERT_TRUE(Close("box" + suffix, Flatten(RegionBox(regions.front().mask, grid, image)),
                      kBoxTolerance));
  }

  // The cut.
  const std::vector<float> affinity = HeadAffinity(unit, chosen[0]);
  ASSERT_TRUE(Close("affinity", affinity, kAffinityTolerance));
  std::vector<float> linear_affinity = HeadAffinity(unit, chosen[1]);
  linear_affinity.resize(file_->table().tensors.at("affinity_linear").element_count());
  ASSERT_TRUE(Close("affinity_linear", linear_affinity, kAffinityTolerance));
  const float tau = Expected<float>("tau")[0];
  for (const EigenSolver solver : {EigenSolver::kIterative, EigenSolver::kDense}) {
    auto cut = CutGraph(affinity, grid.size(), {.tau = tau, .solver = solver});
    ASSERT_TRUE(cut.ok()) << cut.status();
    ASSERT_FALSE(cut->degenerate);
    const std::vector<float> eigenvalues = Expected<float>("eigenvalues");
    ASSERT_NEAR(cut->eigenvalue, eigenvalues[0], kEigenvalueTolerance)
        << "first stage that diverges: eigenvalues";
    ASSERT_NEAR(cut->eigengap, eigenvalues[1] - eigenvalues[0], kEigenvalueTolerance);
    ASSERT_GT(AbsCosine(cut->fiedler, Expected<float>("fiedler")), kFiedlerCosine)
        << "first stage that diverges: fiedler";
    const Bipartition by_seed = SplitBySeed(cut->fiedler);
    const Region seed_region = RegionAt(by_seed.mask, by_seed.seed, cls, grid);
    ASSERT_TRUE(Equal("cut_mask_seed", seed_region.mask));
    ASSERT_TRUE(
        Close("cut_box_seed", Flatten(RegionBox(seed_region.mask, grid, image)), kBoxTolerance));
    const Bipartition by_cls = SplitByWeights(cut->fiedler, cls);
    const Region cls_region = RegionAt(by_cls.mask, by_cls.seed, cls, grid);
    ASSERT_TRUE(Equal("cut_mask_cls", cls_region.mask));
    ASSERT_TRUE(
        Close("cut_box_cls", Flatten(RegionBox(cls_region.mask, grid, image)), kBoxTolerance));
  }
}

// TokenCut, LOST and the thresholded CLS attention, step by step.
TEST_P(GoldenTest, LastLayerMethodsMatch) {
  const c10::InferenceMode inference;
  auto checkpoint = Checkpoint::Open(ModelFolder());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  auto backbone = VisionTransformer::Create(*checkpoint, "cpu");
  ASSERT_TRUE(backbone.ok()) << backbone.status();
  auto decoded = DecodeImage(ReadFile(Golden() + file_->table().metadata.at("image")), {});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const ModelConfig& model = (*backbone)->config();
  const PreprocessedImage input =
      Preprocess(decoded->image, real() ? ResizeMode::kSquare : ResizeMode::kAspect,
                 Meta("resize_size"), model.patch_size);
  const PatchGrid& grid = input.grid;
  const at::Tensor pixels =
      at::from_blob(const_cast<float*>(input.input.data()),
                    {1, 3, grid.input_height(), grid.input_width()}, at::kFloat);
  const ForwardResult forward = (*backbone)->Forward(pixels, {});
  const LayerTap& last = forward.taps.back();

  const std::vector<float> affinity = KeyAffinity(last, model.prefix_tokens());
  std::vector<float> stored = affinity;
  stored.resize(file_->table().tensors.at("key_affinity").element_count());
  ASSERT_TRUE(Close("key_affinity", stored, kAffinityTolerance));
  auto cut = CutGraph(affinity, grid.size(), {.tau = Expected<float>("tokencut_tau")[0]});
  ASSERT_TRUE(cut.ok()) << cut.status();
  const std::vector<float> eigenvalues = Expected<float>("tokencut_eigenvalues");
  ASSERT_NEAR(cut->eigenvalue, eigenvalues[0], kEigenvalueTolerance)
      << "first stage that diverges: tokencut_eigenvalues";
  ASSERT_NEAR(cut->eigengap, eigenvalues[1] - eigenvalues[0], kEigenvalueTolerance);

  const SeedExpansion expansion = ExpandSeed(KeyProducts(last, model.prefix_tokens()), grid.size());
  ASSERT_TRUE(Equal<int32_t>("lost_seed", {expansion.seed}));
  ASSERT_TRUE(Close("lost_objectness", MinMaxScale(expansion.similarity), kMapTolerance));
  // The keys less their mean, where half of the products are negative.
  const at::Tensor keys =
      last.qkv[0].slice(0, model.prefix_tokens()).select(1, 1).flatten(1);  // [N, D]
  const at::Tensor centred = keys - keys.mean(0, true);
  const SeedExpansion partial =
      ExpandSeed(ToVector(at::mm(centred, centred.t())), grid.size(), grid.size() / 4);
  ASSERT_TRUE(Equal<int32_t>("lost_centred_seed", {partial.seed}));
  ASSERT_TRUE(Close("lost_centred_objectness", MinMaxScale(partial.similarity), kMapTolerance));
  const Region region = RegionAt(partial.mask, partial.seed, partial.similarity, grid);
  ASSERT_TRUE(Equal("lost_centred_mask", region.mask));
  ASSERT_LT(region.patches, grid.size()) << "nothing was told apart";
}

// The public entry point gives what the stages give.
TEST_P(GoldenTest, GrounderAgrees) {
  auto grounder = Grounder::Load({.model_dir = ModelFolder()});
  ASSERT_TRUE(grounder.ok()) << grounder.status();
  auto decoded = DecodeImage(ReadFile(Golden() + file_->table().metadata.at("image")), {});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  GroundOptions options;
  options.input_size = Meta("resize_size");
  options.resize_mode = real() ? ResizeMode::kSquare : ResizeMode::kAspect;
  auto grounding = (*grounder)->Ground(decoded->image, options);
  ASSERT_TRUE(grounding.ok()) << grounding.status();
  ASSERT_FALSE(grounding->objects.empty());
  EXPECT_TRUE(Equal("heads_linear", Flatten(grounding->heads)));
  EXPECT_TRUE(Close("objectness", grounding->objectness, kMapTolerance));
  std::vector<uint8_t> masks;  // [objects, rows, cols]
  std::vector<float> scores;
  for (const GroundedObject& object : grounding->objects) {
    masks.insert(masks.end(), object.mask.begin(), object.mask.end());
    scores.push_back(static_cast<float>(object.score));
  }
  EXPECT_TRUE(Equal("object_masks", masks));
  EXPECT_TRUE(Close("object_scores", scores, kMapTolerance));

  options.method = Method::kObjectDinoPaper;
  options.tau = Expected<float>("tau")[0];
  auto paper = (*grounder)->Ground(decoded->image, options);
  ASSERT_TRUE(paper.ok()) << paper.status();
  EXPECT_TRUE(Equal("heads_exact", Flatten(paper->heads)));
  EXPECT_TRUE(Equal("cut_mask_seed", paper->objects.front().mask));

  const std::pair<Method, std::string> last_layer[] = {
      {Method::kTokenCut, "tokencut"}, {Method::kLost, "lost"}, {Method::kClsAttention, "cls"}};
  for (const auto& [method, name] : last_layer) {
    options.method = method;
    options.tau = method == Method::kTokenCut ? Expected<float>("tokencut_tau")[0]
                                              : GroundOptions::kTauOfMethod;
    auto found = (*grounder)->Ground(decoded->image, options);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_FALSE(found->objects.empty());
    EXPECT_TRUE(found->heads.empty());
    EXPECT_TRUE(Close(name + "_objectness", found->objectness, kMapTolerance));
    EXPECT_TRUE(Equal(name + "_mask", found->objects.front().mask));
    EXPECT_TRUE(Close(name + "_box", Flatten(found->objects.front().box), kBoxTolerance));
  }
}

TEST_P(GoldenTest, HeadMapsAndClustersMatch) {
  GroundOptions options;
  options.input_size = Meta("resize_size");
  options.resize_mode = real() ? ResizeMode::kSquare : ResizeMode::kAspect;
  options.head_maps = true;
  const float tau = Expected<float>("tau")[0];
  auto heads_file = SafetensorsFile::Open(Golden() + GetParam().model + "_" + GetParam().scene +
                                          "_heads.safetensors");
  ASSERT_TRUE(heads_file.ok()) << heads_file.status();
  file_ = *std::move(heads_file);
  auto grounder = Grounder::Load({.model_dir = ModelFolder()});
  ASSERT_TRUE(grounder.ok()) << grounder.status();
  auto decoded = DecodeImage(ReadFile(Golden() + file_->table().metadata.at("image")), {});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  auto grounding = (*grounder)->Ground(decoded->image, options);
  ASSERT_TRUE(grounding.ok()) << grounding.status();
  EXPECT_TRUE(Close("self_similarity", grounding->head_maps, kHeadMapTolerance));
  EXPECT_TRUE(Equal("clusters_linear", grounding->head_clusters));

  options.method = Method::kObjectDinoPaper;
  options.tau = tau;
  auto paper = (*grounder)->Ground(decoded->image, options);
  ASSERT_TRUE(paper.ok()) << paper.status();
  EXPECT_TRUE(Close("self_similarity", paper->head_maps, kHeadMapTolerance));
  EXPECT_TRUE(Equal("clusters_exact", paper->head_clusters));
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTest,
                         ::testing::Values(GoldenCase{"tiny", "scene_480x640"},
                                           GoldenCase{"tiny", "scene_640x480"},
                                           GoldenCase{"tiny-registers", "scene_480x640"},
                                           GoldenCase{"tiny-registers", "scene_640x480"},
                                           GoldenCase{"dinov2-small", "scene_480x640"},
                                           GoldenCase{"dinov2-small", "scene_640x480"}),
                         [](const ::testing::TestParamInfo<GoldenCase>& param_info) {
                           std::string name = param_info.param.model + "_" + param_info.param.scene;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

}  // namespace
}  // namespace objectdino
