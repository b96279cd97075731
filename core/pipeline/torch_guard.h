// SPDX-License-Identifier: Apache-2.0
// The wall against exceptions, where Torch is used. Thread-safety: as `compute`.
#ifndef OBJECTDINO_CORE_PIPELINE_TORCH_GUARD_H_
#define OBJECTDINO_CORE_PIPELINE_TORCH_GUARD_H_

#include "absl/status/status.h"
#include "c10/core/InferenceMode.h"
#include "c10/util/Exception.h"

#include "core/pipeline/guard.h"

namespace objectdino {

// Guard, with compute() under c10::InferenceMode. RESOURCE_EXHAUSTED when the device's memory runs
// out, INTERNAL for any other fault of Torch's, without its backtrace.
template <typename Result, typename Compute>
Result TorchGuard(const Compute& compute) {
  return Guard<Result>([&compute]() -> Result {
    try {
      const c10::InferenceMode inference;
      return compute();
    } catch (const c10::OutOfMemoryError&) {
      return absl::ResourceExhaustedError("out of device memory");
    } catch (const c10::Error& error) {
      return absl::InternalError(error.what_without_backtrace());
    }
  });
}

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_TORCH_GUARD_H_
