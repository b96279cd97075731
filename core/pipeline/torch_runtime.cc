// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/torch_runtime.h"

#include <dlfcn.h>
#include <malloc.h>

#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "torch/headeronly/version.h"

namespace objectdino {

void SetTorchThreads(int threads) { at::set_num_threads(threads); }

void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

absl::Status CheckTorchBlas() {
  Dl_info info;
  const void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
  if (symbol == nullptr || dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) {
    return absl::FailedPreconditionError("no BLAS symbol sgemm_ in this process");
  }
  const absl::string_view file = info.dli_fname;
  if (file.find("libtorch_cpu") == absl::string_view::npos) {
    return absl::FailedPreconditionError(
        absl::StrCat("matrix products are served by ", file,
                     " instead of LibTorch: expect them to be many times slower"));
  }
  return absl::OkStatus();
}

std::string TorchVersion() { return TORCH_VERSION; }

}  // namespace objectdino
