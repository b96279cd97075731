// SPDX-License-Identifier: Apache-2.0
// What a batch says of an image of a rotated backbone is the backbone's own CLS attention: the
// rotation of its taps goes with each image.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "c10/core/InferenceMode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/heads/cls_attention.h"
#include "core/pipeline/infer.h"
#include "core/pipeline/prepare.h"
#include "core/vit/vision_transformer.h"
#include "tests/support/scenes.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::Scene;
using ::testing::SizeIs;

TEST(InferRotation, ClsAttentionOfEveryImageIsTheBackbones) {
  const c10::InferenceMode inference;
  const auto checkpoint =
      Checkpoint::Open(std::string(OBJECTDINO_SOURCE_DIR) + "/tests/golden/tiny-dinov3");
  ASSERT_THAT(checkpoint, IsOk());
  const auto backbone = VisionTransformer::Create(*checkpoint, "cpu");
  ASSERT_THAT(backbone, IsOk());
  std::vector<PreparedImage> images;
  for (unsigned seed = 0; seed < 3; ++seed) {
    auto prepared = PrepareImage(Scene(96, 128, seed), {}, (*backbone)->config());
    ASSERT_THAT(prepared, IsOk());
    images.push_back(*std::move(prepared));
  }
  const auto results =
      InferBatch(**backbone, {&images[0], &images[1], &images[2]}, [] { return false; });
  ASSERT_THAT(results, SizeIs(3));
  for (size_t i = 0; i < images.size(); ++i) {
    ASSERT_THAT(results[i], IsOk());
    const PreprocessedImage& input = images[i].input;
    const at::Tensor pixels =
        at::tensor(input.input).view({1, 3, input.grid.input_height(), input.grid.input_width()});
    ForwardResult forward = (*backbone)->Forward(pixels, {});
    const int prefix = (*backbone)->config().prefix_tokens();
    EXPECT_EQ(results[i]->evidence.cls_attention, ClsAttention(forward.taps, prefix));
    for (LayerTap& tap : forward.taps) tap.rotation = {};
    EXPECT_NE(results[i]->evidence.cls_attention, ClsAttention(forward.taps, prefix));
  }
}

}  // namespace
}  // namespace objectdino
