// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/torch_runtime.h"

#include "gtest/gtest.h"

#include "core/pipeline/grounder.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

TEST(TorchRuntime, MatrixProductsAreServedByLibTorch) {
  // Keeps OpenCV and LibTorch in this executable, which is the case that goes wrong.
  EXPECT_FALSE(Grounder::Load({.model_dir = "/nonexistent"}).ok());
  EXPECT_THAT(CheckTorchBlas(), testing::IsOk());
}

TEST(TorchRuntime, VersionIsThePinnedOne) { EXPECT_EQ(TorchVersion(), "2.13.0"); }

}  // namespace
}  // namespace objectdino
