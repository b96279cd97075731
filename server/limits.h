// SPDX-License-Identifier: Apache-2.0
// What one request may cost. GetModelInfo reports these.
#ifndef OBJECTDINO_SERVER_LIMITS_H_
#define OBJECTDINO_SERVER_LIMITS_H_

#include <cstdint>

#include "core/image/decode.h"
#include "core/pipeline/ground_options.h"

namespace objectdino {

// A plain value; every default is the server's default.
struct Limits {
  int64_t max_pixels = DecodeOptions().max_pixels;    // of an image, read from its header
  int max_dimension = DecodeOptions().max_dimension;  // of either side, pixels
  int64_t max_request_bytes = int64_t{32} << 20;
  int64_t max_response_bytes = int64_t{64} << 20;
  int max_queue = 64;                                 // images whose computation has not begun
  int64_t max_inflight_bytes = int64_t{1024} << 20;   // requests, pixels and answers of all
  int max_regions = 256;                              // of a VerifyRegions request
  int max_input_size = GroundOptions::kMaxInputSize;  // pixels of the network's input
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_LIMITS_H_
