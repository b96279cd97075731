// SPDX-License-Identifier: Apache-2.0
// Reads the server's stage times out of a serialised answer, and skips the rest of it unread.
// Thread-safety: pure functions. Cost: microseconds, whatever the answer's size.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_ANSWER_TIMING_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_ANSWER_TIMING_H_

#include <cstdint>
#include <grpcpp/support/byte_buffer.h>
#include <optional>
#include <string>

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// A GroundResponse; consumes the buffer. Nothing: it has no timing, or is malformed.
std::optional<v1::Timing> ReadTiming(grpc::ByteBuffer& answer);

// A StreamGroundResponse without its objects.
struct StreamAnswer {
  std::string request_id;
  int32_t code = 0;
  std::string message;
  std::optional<v1::Timing> timing;
};

// Consumes the buffer. Nothing: it is malformed.
std::optional<StreamAnswer> ReadStreamAnswer(grpc::ByteBuffer& answer);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_ANSWER_TIMING_H_
