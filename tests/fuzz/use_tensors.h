// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets do with the tensors that a reader let through.
#ifndef OBJECTDINO_TESTS_FUZZ_USE_TENSORS_H_
#define OBJECTDINO_TESTS_FUZZ_USE_TENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <string>

#include "absl/strings/string_view.h"

#include "core/weights/model_tensors.h"
#include "core/weights/tensor_file.h"

namespace objectdino {

// Whatever was accepted can be read, with its strides, and a model can be looked for in it. Traps
// where a tensor reaches out of `bytes`.
inline void UseTensors(const std::map<std::string, TensorView>& tensors, absl::string_view bytes) {
  const auto* begin = reinterpret_cast<const uint8_t*>(bytes.data());
  for (const auto& [name, view] : tensors) {
    const volatile int sum = std::accumulate(view.bytes.begin(), view.bytes.end(), 0);
    static_cast<void>(sum);
    if (!view.bytes.empty() &&
        (view.bytes.data() < begin || view.bytes.end() > begin + bytes.size())) {
      __builtin_trap();
    }
    int64_t last = 0;  // the place of the last element
    if (view.strides.empty()) {
      last = view.element_count() - 1;
    } else {
      for (size_t i = 0; i < view.shape.size(); ++i) last += (view.shape[i] - 1) * view.strides[i];
    }
    const auto held = static_cast<int64_t>(view.bytes.size()) / DataTypeSize(view.type);
    if (view.element_count() > 0 && last != held - 1) __builtin_trap();
  }
  ModelTensors model;
  if (!model.Add("fuzz", WeightFormat::kTorch, tensors).ok()) return;
  const auto style = model.Style();
  if (!style.ok()) return;
  const auto config = model.Detect(*style);
  if (!config.ok()) return;
  static_cast<void>(model.CheckAgainst(*style, *config));
  static_cast<void>(model.HasOwnPeriods(*style, *config));
  static_cast<void>(VariantName(*config));
  for (const NeededTensor& needed : NeededTensors(*config)) {
    if (model.Recipe(*style, needed).pieces.empty()) __builtin_trap();
  }
}

}  // namespace objectdino

#endif  // OBJECTDINO_TESTS_FUZZ_USE_TENSORS_H_
