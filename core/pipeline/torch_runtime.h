// SPDX-License-Identifier: Apache-2.0
// Process-wide facts and settings of LibTorch, for main functions. No Torch type crosses this
// header.
// Thread-safety: the setters are for main, before other threads start; the rest may be called any
// time.
#ifndef OBJECTDINO_CORE_PIPELINE_TORCH_RUNTIME_H_
#define OBJECTDINO_CORE_PIPELINE_TORCH_RUNTIME_H_

#include <string>

#include "absl/status/status.h"

namespace objectdino {

// Sets the number of threads that one operation may use, for the whole process. Call once from main
// before Load. One thread a lane is the default choice (build.md, trap C).
void SetTorchThreads(int threads);

// Lets the C library keep freed memory for the next image instead of returning it page by page to
// the kernel: every forward pass allocates the same tens of megabytes again. Call once from main.
void KeepFreedMemory();

// OK when matrix products are served by LibTorch's own BLAS; FAILED_PRECONDITION when another
// library interposes it, which costs a factor of about 17 (build.md, trap B).
absl::Status CheckTorchBlas();

// Of LibTorch: "2.13.0".
std::string TorchVersion();

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_TORCH_RUNTIME_H_
