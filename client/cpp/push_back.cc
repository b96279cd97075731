// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/push_back.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace objectdino {

std::optional<absl::Duration> PushBack(const grpc::ClientContext& ended) {
  const auto& trailers = ended.GetServerTrailingMetadata();
  const auto trailer = trailers.find("grpc-retry-pushback-ms");
  uint32_t pause_ms = 0;
  if (trailer == trailers.end() ||
      !absl::SimpleAtoi(absl::string_view(trailer->second.data(), trailer->second.size()),
                        &pause_ms)) {
    return std::nullopt;
  }
  return absl::Milliseconds(pause_ms);
}

}  // namespace objectdino
