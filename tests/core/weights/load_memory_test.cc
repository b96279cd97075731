// SPDX-License-Identifier: Apache-2.0
// In a process of its own: what loading a model takes of memory.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

#include "core/weights/checkpoint.h"
#include "tests/core/weights/model_folder.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::RawSafetensors;
using ::objectdino::testing::TempFolder;

// Of this process, in bytes: "VmRSS" now, "VmHWM" at its peak.
int64_t Memory(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

// A DINOv2 of zeros, its tensors a hole in the file. Returns their bytes.
int64_t WriteModel(const std::string& path, int width, int layers) {
  ModelConfig config;
  config.width = width;
  config.layers = layers;
  config.heads = width / 64;
  config.hidden_width = 4 * width;
  config.patch_size = 14;
  config.position_grid = 16;
  std::vector<std::string> entries;
  int64_t end = 0;
  for (const NeededTensor& tensor : NeededTensors(config)) {
    int64_t bytes = 4;
    for (const int64_t side : tensor.shape) bytes *= side;
    entries.push_back(absl::StrCat("\"", tensor.name, "\":{\"dtype\":\"F32\",\"shape\":[",
                                   absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[", end,
                                   ",", end + bytes, "]}"));
    end += bytes;
  }
  const std::string header =
      RawSafetensors(absl::StrCat("{", absl::StrJoin(entries, ","), "}"), "");
  std::ofstream(path, std::ios::binary) << header;
  std::filesystem::resize_file(path, header.size() + static_cast<uint64_t>(end));
  return end;
}

TEST(LoadMemory, PeakIsLittleMoreThanTheWeights) {
  const TempFolder folder;
  const std::string path = folder.path() + "/model.safetensors";
  const int64_t bytes = WriteModel(path, /*width=*/768, /*layers=*/4);
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
