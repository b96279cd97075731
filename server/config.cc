// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"
#include "server/address.h"

namespace objectdino {
namespace {

absl::Status CheckReach(const char* flag, const std::string& listen, bool allowed) {
  OBJECTDINO_ASSIGN_OR_RETURN(const Address address, ParseAddress(listen));
  if (address.loopback() || allowed) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": address '", listen,
                   "' is not a loopback address and traffic is plain text: add "
                   "--allow-non-loopback if that is meant"));
}

absl::Status CheckTls(const TlsFiles& tls) {
  if (tls.certificate.empty() != tls.key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key go together");
  }
  if (!tls.client_ca.empty() && !tls.enabled()) {
    return absl::InvalidArgumentError("--tls-client-ca needs --tls-cert and --tls-key");
  }
  return absl::OkStatus();
}

// Measured on two cores (docs/performance.md): pairs bring 2 to 3 %, more brings no more, and every
// image of a batch waits for the whole of it.
constexpr int kMaxBatchOfACpu = 1;
// Measured on an H100 with 16 cores (the same page): batches of 8 are as good as larger ones. A few
// lanes hide what a lane does on the CPU, more of them split the batches.
constexpr int kMaxBatchOfAGpu = 8;
constexpr int kMaxLanesOfAGpu = 4;

}  // namespace

void ServerConfig::Resolve(int cores) {
  if (lanes == 0) {
    lanes = std::max(1, cores / threads);
    if (device != "cpu") lanes = std::min(lanes, kMaxLanesOfAGpu);
  }
  if (decode_threads == 0) decode_threads = lanes;
  if (post_threads == 0) post_threads = lanes;
  if (batch.max_images == 0) batch.max_images = device == "cpu" ? kMaxBatchOfACpu : kMaxBatchOfAGpu;
}

absl::Status ServerConfig::Validate() const {
  OBJECTDINO_RETURN_IF_ERROR(CheckTls(tls));
  OBJECTDINO_RETURN_IF_ERROR(CheckReach("--listen", listen, tls.enabled() || allow_non_loopback));
  if (metrics_listen != kNoMetrics) {
    OBJECTDINO_RETURN_IF_ERROR(CheckReach("--metrics-listen", metrics_listen, allow_non_loopback));
  }
  if (connections.memory_mb < 2 * (limits.max_request_bytes >> 20)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--max-connections-memory-mb ", connections.memory_mb,
        " has no room for two requests of --max-message-mb ", limits.max_request_bytes >> 20));
  }
  if (limits.max_inflight_bytes < limits.max_request_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--max-inflight-mb ", limits.max_inflight_bytes >> 20,
        " has no room for one request of --max-message-mb ", limits.max_request_bytes >> 20));
  }
  return absl::OkStatus();
}

}  // namespace objectdino
