// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/workload.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>

#include "google/protobuf/io/coded_stream.h"

namespace objectdino {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr uint8_t kImageTag = v1::GroundRequest::kImageFieldNumber << 3 | 2;  // length-delimited
constexpr uint8_t kEncodedTag = v1::Image::kEncodedFieldNumber << 3 | 2;
constexpr char kNoImage[] = "This is no image.";
constexpr uint32_t kBadMaxObjects = 1'000'000;
constexpr size_t kBadKinds = 3;

// A part of `bytes`, which it keeps alive.
grpc::Slice Share(const std::shared_ptr<const std::string>& bytes, size_t length) {
  return {const_cast<char*>(bytes->data()), length,
          [](void* owner) { delete static_cast<std::shared_ptr<const std::string>*>(owner); },
          new std::shared_ptr<const std::string>(bytes)};
}

grpc::Slice SerializeOptions(const v1::GroundOptions& options) {
  v1::GroundRequest request;
  *request.mutable_options() = options;
  return {request.SerializeAsString()};
}

}  // namespace

size_t PlannedRequest::bytes() const {
  return std::accumulate(message.begin(), message.end(), size_t{0},
                         [](size_t sum, const grpc::Slice& slice) { return sum + slice.size(); });
}

Workload::Workload(std::vector<std::string> images, const LoadOptions& options)
    : cancel_share_(options.cancel_share),
      bad_share_(options.bad_share),
      deadline_ms_(options.deadline_ms),
      cancel_after_ms_(options.cancel_after_ms),
      no_image_(Prepare(grpc::Slice(kNoImage))),
      random_(options.seed, 2) {
  for (std::string& image : images) {
    const auto bytes = std::make_shared<const std::string>(std::move(image));
    image_bytes_ += bytes->size();
    images_.push_back(
        {Prepare(Share(bytes, bytes->size())), Prepare(Share(bytes, bytes->size() / 2))});
  }
  v1::GroundOptions ground = options.ground;
  for (const uint32_t size : options.sizes) {
    ground.set_input_size(size);
    options_.push_back(SerializeOptions(ground));
  }
  if (options.sizes.empty()) options_.push_back(SerializeOptions(ground));
  ground.set_max_objects(kBadMaxObjects);
  bad_options_ = SerializeOptions(ground);
}

Workload::Prepared Workload::Prepare(const grpc::Slice& bytes) {
  const uint32_t length = static_cast<uint32_t>(bytes.size());
  const size_t image_length = 1 + CodedOutputStream::VarintSize32(length) + bytes.size();
  uint8_t header[12];
  uint8_t* end = header;
  *end++ = kImageTag;
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(image_length), end);
  *end++ = kEncodedTag;
  end = CodedOutputStream::WriteVarint32ToArray(length, end);
  return {grpc::Slice(header, end - header), bytes};
}

PlannedRequest Workload::Next() {
  if (pass_.empty()) {
    pass_.resize(images_.size());
    std::iota(pass_.begin(), pass_.end(), size_t{0});
    for (size_t i = pass_.size(); i > 1; --i) std::swap(pass_[i - 1], pass_[random_.Below(i)]);
  }
  const PreparedImage& image = images_[pass_.back()];
  pass_.pop_back();
  PlannedRequest request;
  const grpc::Slice& options = options_[random_.Below(options_.size())];
  request.message = {image.whole.header, image.whole.bytes, options};
  request.deadline = absl::Milliseconds(random_.Uniform(deadline_ms_.low, deadline_ms_.high));
  if (random_.Chance(bad_share_)) {
    MakeBad(image, request);
  } else if (random_.Chance(cancel_share_)) {
    request.cancel_after =
        absl::Milliseconds(random_.Uniform(cancel_after_ms_.low, cancel_after_ms_.high));
  }
  return request;
}

void Workload::MakeBad(const PreparedImage& image, PlannedRequest& request) {
  request.bad_input = true;
  switch (random_.Below(kBadKinds)) {
    case 0:
      request.message[0] = image.truncated.header;
      request.message[1] = image.truncated.bytes;
      return;
    case 1:
      request.message[0] = no_image_.header;
      request.message[1] = no_image_.bytes;
      return;
    default:
      request.message[2] = bad_options_;
  }
}

}  // namespace objectdino
