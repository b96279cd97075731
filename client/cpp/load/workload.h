// SPDX-License-Identifier: Apache-2.0
// The requests of a load, ready to be sent: every image is serialised once and shared by all of its
// requests, so that a request costs the generator next to nothing.
//
// Images come in passes over all of them, each in a new random order; sizes, deadlines,
// cancellations and bad input are drawn for each request. The k-th request is the same for the same
// seed. Thread-safety: none; what was returned can be used anywhere, also after the workload's end.
// Memory: the files once.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_WORKLOAD_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_WORKLOAD_H_

#include <array>
#include <cstddef>
#include <grpcpp/support/slice.h>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "client/cpp/load/load_options.h"
#include "client/cpp/load/load_random.h"

namespace objectdino {

struct PlannedRequest {
  // One after the other, they are a serialised GroundRequest.
  std::array<grpc::Slice, 3> message;
  bool bad_input = false;  // must be answered with INVALID_ARGUMENT
  absl::Duration deadline;
  std::optional<absl::Duration> cancel_after;

  size_t bytes() const;
};

class Workload {
 public:
  // `images`: bytes of files, at least one. REQUIRES: options.Validate() is OK.
  Workload(std::vector<std::string> images, const LoadOptions& options);

  PlannedRequest Next();

  size_t images() const { return images_.size(); }
  size_t image_bytes() const { return image_bytes_; }

 private:
  // GroundRequest.image in two slices: everything before the file's bytes, and these.
  struct Prepared {
    grpc::Slice header;
    grpc::Slice bytes;
  };
  struct PreparedImage {
    Prepared whole;
    Prepared truncated;
  };

  static Prepared Prepare(const grpc::Slice& bytes);
  void MakeBad(const PreparedImage& image, PlannedRequest& request);

  const double cancel_share_;
  const double bad_share_;
  const Range deadline_ms_;
  const Range cancel_after_ms_;
  std::vector<PreparedImage> images_;
  size_t image_bytes_ = 0;
  std::vector<grpc::Slice> options_;  // GroundRequest.options, one a size
  grpc::Slice bad_options_;
  Prepared no_image_;

  LoadRandom random_;
  std::vector<size_t> pass_;  // what is left of the current one; its back is next
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_WORKLOAD_H_
