// SPDX-License-Identifier: Apache-2.0
#include "server/codec.h"

#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/math/rle.h"
#include "tests/support/fake_engine.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

v1::GroundResponse Encode(const ParsedRequest& request, const RequestImage& image = {},
                          ImageSize size = {30, 60}) {
  v1::GroundResponse response;
  EncodeGrounding(testing::FakeGrounding(size, request.reply.patch_embeddings), request, image,
                  testing::FakeModelFacts(), &response);
  return response;
}

std::vector<float> Floats(const v1::Tensor& tensor) {  // np.frombuffer(data, "<f4")
  std::vector<float> values(tensor.data().size() / sizeof(float));
  std::memcpy(values.data(), tensor.data().data(), tensor.data().size());
  return values;
}

TEST(Codec, Defaults_SendObjectsAndObjectnessOnly) {
  const v1::GroundResponse response = Encode({});
  EXPECT_EQ(response.objects_size(), 1);
  EXPECT_TRUE(response.has_objectness());
  EXPECT_FALSE(response.has_patches());
  EXPECT_FALSE(response.objects(0).has_pixel_mask());
  EXPECT_TRUE(response.heads().empty());
  EXPECT_EQ(response.method(), v1::METHOD_OBJECT_DINO);
}

TEST(Codec, Object_IsInPixelsAndNormalized) {
  const v1::GroundResponse response = Encode({});
  const v1::GroundedObject& object = response.objects(0);
  EXPECT_EQ(object.index(), 0U);
  EXPECT_FLOAT_EQ(object.score(), 0.5F);
  EXPECT_FLOAT_EQ(object.box().x1(), 20);
  EXPECT_FLOAT_EQ(object.box().y2(), 30);
  EXPECT_FLOAT_EQ(object.normalized_box().x1(), 1.0F / 3);
  EXPECT_FLOAT_EQ(object.normalized_box().x2(), 2.0F / 3);
  EXPECT_FLOAT_EQ(object.normalized_box().y2(), 1);
  EXPECT_FLOAT_EQ(object.anchor().x(), 30);
  EXPECT_FLOAT_EQ(object.area_fraction(), 2.0F / 6);
  EXPECT_THAT(object.patch_indices(), ElementsAre(1, 4));
}

TEST(Codec, Mask_DecodesToThePatches) {
  const v1::GroundResponse response = Encode({});
  const v1::Mask& mask = response.objects(0).mask();
  const auto decoded = DecodeCocoRle(mask.coco_rle(), static_cast<int>(mask.height()),
                                     static_cast<int>(mask.width()));
  ASSERT_THAT(decoded, testing::IsOk());
  EXPECT_THAT(*decoded, ElementsAre(0, 1, 0, 0, 1, 0));
}

TEST(Codec, PixelMask_DecodesToTheUpsampledPatches) {
  ParsedRequest request;
  request.reply.pixel_masks = true;
  const v1::GroundResponse response = Encode(request, {}, {4, 6});
  const v1::Mask& mask = response.objects(0).pixel_mask();
  EXPECT_EQ(mask.height(), 4U);
  EXPECT_EQ(mask.width(), 6U);
  const auto decoded = DecodeCocoRle(mask.coco_rle(), 4, 6);
  ASSERT_THAT(decoded, testing::IsOk());
  EXPECT_THAT(*decoded, ElementsAreArray({0, 0, 1, 1, 0, 0,  //
                                          0, 0, 1, 1, 0, 0,  //
                                          0, 0, 1, 1, 0, 0,  //
                                          0, 0, 1, 1, 0, 0}));
}

TEST(Codec, Grid_CoversTheWholeImage) {
  const v1::PatchGrid grid = Encode({}).grid();
  EXPECT_EQ(grid.rows(), 2U);
  EXPECT_EQ(grid.cols(), 3U);
  EXPECT_EQ(grid.input_height(), 28U);
  EXPECT_EQ(grid.input_width(), 42U);
  EXPECT_FLOAT_EQ(grid.content().x2(), 60);
  EXPECT_FLOAT_EQ(grid.content().y2(), 30);
}

TEST(Codec, Objectness_IsF32RowsByCols) {
  const v1::GroundResponse response = Encode({});
  EXPECT_THAT(response.objectness().shape(), ElementsAre(2, 3));
  EXPECT_THAT(Floats(response.objectness()), ElementsAre(0, 1, 0.25, 0, 0.75, 0));
}

TEST(Codec, Embedding_NamesItsSpace) {
  const v1::GroundResponse response = Encode({});
  const v1::Embedding& embedding = response.objects(0).embedding();
  EXPECT_EQ(embedding.values().dtype(), v1::DATA_TYPE_F16);
  EXPECT_THAT(embedding.values().shape(), ElementsAre(4));
  EXPECT_EQ(embedding.values().data(), std::string("\x00\x38\x00\xb8\x00\x38\x00\x38", 8));
  EXPECT_TRUE(embedding.l2_normalized());
  EXPECT_EQ(embedding.space(), "fake@aaaaaaaaaaaa/final-norm/patch-mean");
}

TEST(Codec, PatchEmbeddings_AllOrThoseOfObjects) {
  ParsedRequest request;
  request.reply.patch_embeddings = true;
  request.reply.embedding_dtype = v1::DATA_TYPE_F32;
  v1::PatchEmbeddings patches = Encode(request).patches();
  EXPECT_THAT(patches.embeddings().shape(), ElementsAre(6, 4));
  EXPECT_THAT(patches.patch_indices(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(patches.space(), "fake@aaaaaaaaaaaa/final-norm/patch");

  request.reply.object_patches_only = true;
  patches = Encode(request).patches();
  EXPECT_THAT(patches.embeddings().shape(), ElementsAre(2, 4));
  EXPECT_THAT(patches.patch_indices(), ElementsAre(1, 4));
  EXPECT_THAT(Floats(patches.embeddings()), ElementsAre(4, 5, 6, 7, 16, 17, 18, 19));
}

TEST(Codec, Heads_OnRequest) {
  ParsedRequest request;
  request.reply.heads = true;
  const v1::GroundResponse response = Encode(request);
  ASSERT_EQ(response.heads_size(), 2);
  EXPECT_EQ(response.heads(0).layer(), 10U);
  EXPECT_EQ(response.heads(0).head(), 2U);
}

TEST(Codec, AnimatedAndTruncatedImages_AreWarnedOf) {
  RequestImage image;
  image.animated = image.truncated = true;
  const v1::GroundResponse response = Encode({}, image);
  ASSERT_EQ(response.warnings_size(), 2);
  EXPECT_EQ(response.warnings(0).code(), v1::Warning::CODE_FIRST_FRAME_ONLY);
  EXPECT_EQ(response.warnings(1).code(), v1::Warning::CODE_TRUNCATED_IMAGE);
}

}  // namespace
}  // namespace objectdino
