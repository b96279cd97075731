// SPDX-License-Identifier: Apache-2.0
#include "core/weights/tensor_names.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TensorNames, WrappersAreTakenOff) {
  EXPECT_EQ(NormalizeName("cls_token"), "cls_token");
  EXPECT_EQ(NormalizeName("module.backbone.cls_token"), "cls_token");
  EXPECT_EQ(NormalizeName("teacher.backbone.norm.weight"), "norm.weight");
  EXPECT_EQ(NormalizeName("vit.layernorm.bias"), "layernorm.bias");
  EXPECT_EQ(NormalizeName("dinov2_with_registers.embeddings.cls_token"), "embeddings.cls_token");
  EXPECT_EQ(NormalizeName("_orig_mod.module.norm.bias"), "norm.bias");
  EXPECT_EQ(NormalizeName("student.backbone.norm.bias"), "student.backbone.norm.bias");
}

TEST(TensorNames, BlocksAreCountedInOneWay) {
  EXPECT_EQ(NormalizeName("blocks.11.norm1.weight"), "blocks.11.norm1.weight");
  EXPECT_EQ(NormalizeName("backbone.blocks.3.17.norm1.weight"), "blocks.17.norm1.weight");
  EXPECT_EQ(NormalizeName("dinov2.encoder.layer.4.norm1.weight"), "blocks.4.norm1.weight");
  EXPECT_EQ(NormalizeName("layer.4.norm1.weight"), "blocks.4.norm1.weight");
  EXPECT_EQ(NormalizeName("model.layer.4.norm1.weight"), "blocks.4.norm1.weight");
  EXPECT_EQ(NormalizeName("blocks.x.norm1.weight"), "blocks.x.norm1.weight");
  EXPECT_EQ(NormalizeName("blocks.99999999999999999999.a"), "blocks.99999999999999999999.a");
  EXPECT_EQ(BlockIndex("blocks.12.a"), 12);
  EXPECT_EQ(BlockIndex("blocks.12"), -1);
  EXPECT_EQ(BlockIndex("norm.weight"), -1);
}

TEST(TensorNames, EachStyleHasItsNames) {
  EXPECT_THAT(NamesInFile(NameStyle::kOriginal, "register_tokens"),
              ElementsAre("register_tokens", "storage_tokens"));
  EXPECT_THAT(NamesInFile(NameStyle::kVit, "register_tokens"), IsEmpty());
  EXPECT_THAT(NamesInFile(NameStyle::kVit, "blocks.3.norm2.bias"),
              ElementsAre("blocks.3.layernorm_after.bias"));
  EXPECT_THAT(NamesInFile(NameStyle::kTimm, "blocks.0.attn.q.bias"),
              ElementsAre("blocks.0.attn.q_bias", "blocks.0.attn.q_proj.bias"));
  EXPECT_THAT(NamesInFile(NameStyle::kOriginal, "no.such"), IsEmpty());
  EXPECT_THAT(NamesInFile(NameStyle::kOriginal, "blocks.0.no.such"), IsEmpty());
}

TEST(TensorNames, MessagesCallATensorAsItsFileDoes) {
  EXPECT_EQ(UsualName(NameStyle::kDinov2, "blocks.3.ls1.gamma"),
            "encoder.layer.3.layer_scale1.lambda1");
  EXPECT_EQ(UsualName(NameStyle::kDinov3, "blocks.3.mlp.w1.weight"),
            "layer.3.mlp.gate_proj.weight");
  EXPECT_EQ(UsualName(NameStyle::kTimm, "blocks.3.ls1.gamma"), "blocks.3.ls1.gamma");
  EXPECT_EQ(UsualName(NameStyle::kDinov2, "no.such"), "no.such");
}

TEST(TensorNames, HeadsAndMaskTokensAreKnownToBeUnused) {
  EXPECT_TRUE(IsKnownUnused("mask_token"));
  EXPECT_TRUE(IsKnownUnused("head.last_layer.weight_v"));
  EXPECT_TRUE(IsKnownUnused("student.backbone.cls_token"));
  EXPECT_FALSE(IsKnownUnused("blocks.0.adapter.weight"));
  EXPECT_FALSE(IsKnownUnused("cls_token"));
}

}  // namespace
}  // namespace objectdino
