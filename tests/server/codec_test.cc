// SPDX-License-Identifier: Apache-2.0
#include "server/codec.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/math/rle.h"
#include "server/heads_codec.h"
#include "tests/support/fake_engine.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;

v1::GroundResponse Encode(const ParsedRequest& request, const RequestImage& image = {},
                          ImageSize size = {30, 60}) {
  v1::GroundResponse response;
  EncodeGrounding(testing::FakeGrounding(size, request.reply.patch_embeddings, request.reply.heads),
                  request, image, testing::FakeModelFacts(), &response);
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
  EXPECT_FALSE(response.has_head_analysis());
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

TEST(Codec, PixelMask_IsSentAsItWasEncoded) {
  ParsedRequest request;
  request.options.pixel_masks = true;
  v1::Mask mask = Encode(request, {}, {4, 6}).objects(0).pixel_mask();
  EXPECT_EQ(mask.height(), 4U);
  EXPECT_EQ(mask.width(), 6U);
  EXPECT_EQ(mask.coco_rle(), "mask");

  request.options.mask_format = MaskFormat::kPng;
  mask = Encode(request, {}, {4, 6}).objects(0).pixel_mask();
  EXPECT_EQ(mask.height(), 4U);
  EXPECT_EQ(mask.width(), 6U);
  EXPECT_EQ(mask.png(), "mask");
  EXPECT_FALSE(mask.has_coco_rle());
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

TEST(Codec, EmbeddingOfHeads_NamesTheHeadsLayerByLayer) {
  ParsedRequest request;
  request.reply.patch_embeddings = true;
  Grounding grounding = testing::FakeGrounding({30, 60}, true);
  grounding.embedding_source = EmbeddingSource::kObjectHeads;
  const std::pair<std::vector<HeadRef>, std::string> cases[] = {
      {{{10, 0}, {10, 3}, {11, 1}}, "values[10:0,3;11:1]"}, {{{0, 5}}, "values[0:5]"}};
  for (const auto& [heads, name] : cases) {
    grounding.heads = heads;
    v1::GroundResponse response;
    EncodeGrounding(grounding, request, {}, testing::FakeModelFacts(), &response);
    EXPECT_EQ(response.objects(0).embedding().space(), "fake@aaaaaaaaaaaa/" + name + "/patch-mean");
    EXPECT_EQ(response.patches().space(), "fake@aaaaaaaaaaaa/" + name + "/patch");
  }
}

// As wide as the vectors are, whatever the width of the model.
TEST(Codec, PatchEmbeddings_HaveTheWidthOfTheGrounding) {
  ParsedRequest request;
  request.reply.patch_embeddings = true;
  request.reply.embedding_dtype = v1::DATA_TYPE_F32;
  request.reply.object_patches_only = true;
  Grounding grounding = testing::FakeGrounding({30, 60}, true);
  grounding.embedding_width = 2;
  grounding.patch_vectors.resize(6 * 2);
  v1::GroundResponse response;
  EncodeGrounding(grounding, request, {}, testing::FakeModelFacts(), &response);
  EXPECT_THAT(response.patches().embeddings().shape(), ElementsAre(2, 2));
  EXPECT_THAT(Floats(response.patches().embeddings()), ElementsAre(2, 3, 8, 9));
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

TEST(Codec, HeadAnalysis_MapsAreLayersHeadsQkvRowsCols) {
  ParsedRequest request;
  request.reply.heads = true;
  request.reply.embedding_dtype = v1::DATA_TYPE_F32;
  const v1::HeadAnalysis analysis = Encode(request).head_analysis();
  EXPECT_EQ(analysis.self_similarity().dtype(), v1::DATA_TYPE_F32);
  EXPECT_THAT(analysis.self_similarity().shape(), ElementsAre(12, 6, 3, 2, 3));
  const std::vector<float> values = Floats(analysis.self_similarity());
  ASSERT_EQ(values.size(), 1296U);
  EXPECT_FLOAT_EQ(values[1], 1.0F / 2048);
  EXPECT_FLOAT_EQ(values[1295], 1295.0F / 2048);
}

TEST(Codec, HeadAnalysis_HasTheTypeOfEmbeddings) {
  ParsedRequest request;
  request.reply.heads = true;
  const v1::Tensor maps = Encode(request).head_analysis().self_similarity();
  EXPECT_EQ(maps.dtype(), v1::DATA_TYPE_F16);
  EXPECT_EQ(maps.data().size(), 1296U * 2);
}

TEST(Codec, HeadAnalysis_ClustersInLayerMajorOrder) {
  ParsedRequest request;
  request.reply.heads = true;
  const v1::HeadAnalysis analysis = Encode(request).head_analysis();
  ASSERT_EQ(analysis.clusters_size(), 72);
  EXPECT_EQ(analysis.cluster_count(), 3U);
  EXPECT_EQ(analysis.clusters(0), 1);
  EXPECT_EQ(analysis.clusters(6), 2);
  EXPECT_EQ(analysis.clusters(10 * 6 + 2), 0);
  EXPECT_EQ(analysis.clusters(11 * 6), 0);
}

TEST(HeadsCodec, PresetHeads_HaveNoClusters) {
  Grounding grounding = testing::FakeGrounding({30, 60}, false, true);
  grounding.head_clusters.assign(72, -1);
  v1::GroundResponse response;
  EncodeHeads(grounding, testing::FakeModelFacts().config, v1::DATA_TYPE_F16, &response);
  EXPECT_EQ(response.head_analysis().cluster_count(), 0U);
  EXPECT_THAT(response.head_analysis().clusters(), ::testing::Each(-1));
  EXPECT_EQ(response.heads_size(), 2);
}

TEST(Codec, EveryWarning_HasItsCodeAndMessage) {
  const std::pair<WarningCode, v1::Warning::Code> cases[] = {
      {WarningCode::kLowConfidence, v1::Warning::CODE_LOW_CONFIDENCE},
      {WarningCode::kRandomWeights, v1::Warning::CODE_RANDOM_WEIGHTS},
      {WarningCode::kImageTooSmall, v1::Warning::CODE_IMAGE_TOO_SMALL},
      {WarningCode::kNoClearObject, v1::Warning::CODE_NO_CLEAR_OBJECT},
      {WarningCode::kUnmeasuredDefaults, v1::Warning::CODE_UNMEASURED_DEFAULTS}};
  Grounding grounding = testing::FakeGrounding({30, 60}, false);
  for (const auto& [code, wire] : cases) {
    grounding.warnings = {{code, "because"}};
    v1::GroundResponse response;
    EncodeGrounding(grounding, {}, {}, testing::FakeModelFacts(), &response);
    ASSERT_EQ(response.warnings_size(), 1);
    EXPECT_EQ(response.warnings(0).code(), wire);
    EXPECT_EQ(response.warnings(0).message(), "because");
  }
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
