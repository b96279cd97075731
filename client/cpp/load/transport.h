// SPDX-License-Identifier: Apache-2.0
// How requests of a load reach the server: one call each, or as items of streams.
//
// A request has one owner at any time: it goes into Start and comes back in `done`, exactly once.
// Thread-safety: all methods may be called from any thread, also from within `done`, Close
// excepted.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_TRANSPORT_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <grpcpp/support/status_code_enum.h>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"

#include "client/cpp/load/workload.h"
#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

struct LoadRequest {
  PlannedRequest plan;
  uint64_t id = 0;      // one of its kind
  size_t caller = 0;    // whose it is; in an open loop, each is a caller of its own
  absl::Duration due;   // when it should have been sent first
  absl::Duration sent;  // when it was sent first
  bool counts = false;  // not part of the warm-up
  int attempts = 0;     // so far
};

struct LoadAnswer {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;               // of an error
  std::optional<v1::Timing> timing;  // of a success
  size_t bytes = 0;                  // of a success
  std::optional<absl::Duration> push_back;
};

class Transport {
 public:
  using Done = std::function<void(std::unique_ptr<LoadRequest>, LoadAnswer)>;

  virtual ~Transport() = default;

  // Sends the request, to be answered within `remaining` from now. `done` is called later, from a
  // thread of the transport.
  virtual void Start(std::unique_ptr<LoadRequest> request, absl::Duration remaining) = 0;

  // Gives up the request with this id, if it is on its way.
  virtual void Cancel(uint64_t id) = 0;

  // Gives up what is on its way, waits until all of it is done, and ends. Nothing may be started
  // any more.
  virtual void Close() = 0;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_TRANSPORT_H_
