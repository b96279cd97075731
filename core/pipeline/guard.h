// SPDX-License-Identifier: Apache-2.0
// The wall against the exceptions of libraries, where Torch is not used. Thread-safety: as
// `compute`.
#ifndef OBJECTDINO_CORE_PIPELINE_GUARD_H_
#define OBJECTDINO_CORE_PIPELINE_GUARD_H_

#include <exception>
#include <new>

#include "absl/status/status.h"

namespace objectdino {

// compute(), a Result that a Status converts to. RESOURCE_EXHAUSTED for std::bad_alloc, INTERNAL
// for any other std::exception: OpenCV's and Spectra's are such.
template <typename Result, typename Compute>
Result Guard(const Compute& compute) {
  try {
    return compute();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_GUARD_H_
