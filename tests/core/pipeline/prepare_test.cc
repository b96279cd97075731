// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/prepare.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/image/preprocess.h"
#include "tests/support/scenes.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ModelConfig Model() {
  ModelConfig model;
  model.layers = 12;
  model.heads = 6;
  model.width = 384;
  model.patch_size = 14;
  return model;
}

TEST(PrepareImage, HoldsTheNetworksInputAndLeavesThePixels) {
  GroundOptions options;
  options.method = Method::kLost;
  options.resize_mode = ResizeMode::kAspect;
  options.input_size = 140;
  options.pixel_masks = true;
  const Image image = testing::Scene(120, 200);
  const auto prepared = PrepareImage(image, options, Model());
  ASSERT_THAT(prepared, IsOk());
  EXPECT_EQ(prepared->options.method, Method::kLost);
  EXPECT_EQ(prepared->size, image.size());
  EXPECT_EQ(prepared->input.grid, (PatchGrid{6, 10, 14}));
  EXPECT_EQ(prepared->input.input, Preprocess(image, ResizeMode::kAspect, 140, 14).input);
  EXPECT_FALSE(prepared->blank);
  EXPECT_THAT(prepared->image.rgb, IsEmpty());
  EXPECT_THAT(prepared->warnings, IsEmpty());
  EXPECT_GT(prepared->preprocess_ms, 0);
}

TEST(PrepareImage, FlatAndSmallImagesAreNamed) {
  ModelConfig model = Model();
  model.random_weights = true;
  const auto prepared = PrepareImage(testing::Flat(5, 40), {}, model);
  ASSERT_THAT(prepared, IsOk());
  EXPECT_TRUE(prepared->blank);
  EXPECT_THAT(prepared->warnings, ElementsAre(Field(&Warning::code, WarningCode::kRandomWeights),
                                              Field(&Warning::code, WarningCode::kImageTooSmall),
                                              Field(&Warning::code, WarningCode::kNoClearObject)));
}

TEST(PrepareImage, BadInputIsRefused) {
  EXPECT_THAT(PrepareImage(Image{}, {}, Model()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("image")));
  Image long_pixels = testing::Flat(8, 8);
  long_pixels.rgb.push_back(0);
  EXPECT_THAT(PrepareImage(long_pixels, {}, Model()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("image")));
  GroundOptions options;
  options.clusters = 73;
  EXPECT_THAT(PrepareImage(testing::Flat(8, 8), options, Model()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("clusters")));
}

}  // namespace
}  // namespace objectdino
