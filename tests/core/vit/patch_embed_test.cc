// SPDX-License-Identifier: Apache-2.0
#include "core/vit/patch_embed.h"

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

TEST(PatchEmbed, NonSquareImage_EqualsTheConvolution) {
  const at::Generator random = at::detail::createCPUGenerator(4);
  const at::Tensor weight = at::randn({8, 3, 4, 4}, random);
  const at::Tensor bias = at::randn({8}, random);
  const at::Tensor image = at::randn({2, 3, 12, 20}, random);
  const at::Tensor expected =
      at::conv2d(image, weight, bias, /*stride=*/4).flatten(2).transpose(1, 2);  // [2, 15, 8]
  const at::Tensor actual = PatchEmbed(weight, bias, at::kCPU).Forward(image);
  ASSERT_EQ(actual.sizes(), expected.sizes());
  EXPECT_LT((actual - expected).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace objectdino
