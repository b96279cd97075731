// SPDX-License-Identifier: Apache-2.0
// In a process of its own: what loading a model takes of memory.
#include <cstdint>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "gtest/gtest.h"

#include "core/weights/checkpoint.h"
#include "tests/core/weights/big_model.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::Memory;
using ::objectdino::testing::TempFolder;
using ::objectdino::testing::WriteBigModel;

TEST(LoadMemory, PeakIsLittleMoreThanTheWeights) {
  const TempFolder folder;
  const std::string path = folder.path() + "/model.safetensors";
  const int64_t bytes = WriteBigModel(path, /*width=*/768, /*layers=*/4);
  ASSERT_GT(bytes, 100 << 20);
  ASSERT_GT(at::ones({1000, 1000}).sum().item<float>(), 0);  // what Torch takes for itself
  const int64_t before = Memory("VmRSS");
  if (before == 0 || Memory("VmHWM") == 0) GTEST_SKIP() << "this kernel does not say";

  const auto checkpoint = Checkpoint::Open(path);
  ASSERT_THAT(checkpoint, IsOk());
  std::vector<at::Tensor> kept;
  for (const NeededTensor& tensor : NeededTensors(checkpoint->config())) {
    auto copy = checkpoint->Get(tensor.name, tensor.shape);
    ASSERT_THAT(copy, IsOk());
    kept.push_back(*std::move(copy));
  }
  const int64_t peak = Memory("VmHWM") - before;
  EXPECT_GT(peak, bytes * 9 / 10);  // or the figures mean nothing
  EXPECT_LT(peak, bytes * 12 / 10);
}

}  // namespace
}  // namespace objectdino
