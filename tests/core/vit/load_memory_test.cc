// SPDX-License-Identifier: Apache-2.0
// In a process of its own: what a backbone takes of memory while it is built from a file.
#include <cstdint>
#include <string>

#include "gtest/gtest.h"

#include "core/vit/vision_transformer.h"
#include "core/weights/checkpoint.h"
#include "tests/core/weights/big_model.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::Memory;
using ::objectdino::testing::TempFolder;
using ::objectdino::testing::WriteBigModel;

// Prepared for computing, which takes a copy of every matrix.
TEST(LoadMemory, PeakOfABackboneIsLittleMoreThanItsWeights) {
  const TempFolder folder;
  const std::string path = folder.path() + "/model.safetensors";
  const int64_t bytes = WriteBigModel(path, /*width=*/768, /*layers=*/8);
  ASSERT_GT(bytes, 200 << 20);
  {  // what Torch takes for itself
    const std::string small = folder.path() + "/small.safetensors";
    WriteBigModel(small, /*width=*/64, /*layers=*/1);
    ASSERT_THAT(VisionTransformer::Create(*Checkpoint::Open(small), "cpu"), IsOk());
  }
  const int64_t before = Memory("VmRSS");
  if (before == 0 || Memory("VmHWM") == 0) GTEST_SKIP() << "this kernel does not say";

  const auto checkpoint = Checkpoint::Open(path);
  ASSERT_THAT(checkpoint, IsOk());
  const auto backbone = VisionTransformer::Create(*checkpoint, "cpu");
  ASSERT_THAT(backbone, IsOk());
  const int64_t peak = Memory("VmHWM") - before;
  EXPECT_GT(peak, bytes * 9 / 10);  // or the figures mean nothing
  EXPECT_LT(peak, bytes * 12 / 10);
  RecordProperty("peak_to_weights_percent", static_cast<int>(peak * 100 / bytes));
}

}  // namespace
}  // namespace objectdino
