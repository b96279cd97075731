// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/answer_timing.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace objectdino {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr uint32_t LengthDelimited(int field) {
  return static_cast<uint32_t>(field) << 3 | WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
}

// Calls read(in) with the stream limited to the message that follows. False: malformed.
template <typename Read>
bool WithinMessage(CodedInputStream& in, const Read& read) {
  uint32_t length = 0;
  if (!in.ReadVarint32(&length)) return false;
  const CodedInputStream::Limit limit = in.PushLimit(static_cast<int>(length));
  const bool is_read = read(in) && in.BytesUntilLimit() == 0;
  in.PopLimit(limit);
  return is_read;
}

// To the end of the message. False: malformed.
bool ReadGroundResponse(CodedInputStream& in, std::optional<v1::Timing>& timing) {
  while (const uint32_t tag = in.ReadTag()) {
    if (tag != LengthDelimited(v1::GroundResponse::kTimingFieldNumber)) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      continue;
    }
    timing.emplace();
    if (!WithinMessage(in, [&](auto& part) { return timing->MergeFromCodedStream(&part); }))
      return false;
  }
  return in.ConsumedEntireMessage();
}

bool ReadStreamGroundResponse(CodedInputStream& in, StreamAnswer& answer) {
  while (const uint32_t tag = in.ReadTag()) {
    bool is_read = false;
    switch (tag) {
      case LengthDelimited(v1::StreamGroundResponse::kRequestIdFieldNumber):
        is_read = WireFormatLite::ReadString(&in, &answer.request_id);
        break;
      case v1::StreamGroundResponse::kCodeFieldNumber << 3 | WireFormatLite::WIRETYPE_VARINT:
        is_read =
            WireFormatLite::ReadPrimitive<int32_t, WireFormatLite::TYPE_INT32>(&in, &answer.code);
        break;
      case LengthDelimited(v1::StreamGroundResponse::kMessageFieldNumber):
        is_read = WireFormatLite::ReadString(&in, &answer.message);
        break;
      case LengthDelimited(v1::StreamGroundResponse::kResponseFieldNumber):
        is_read =
            WithinMessage(in, [&](auto& part) { return ReadGroundResponse(part, answer.timing); });
        break;
      default:
        is_read = WireFormatLite::SkipField(&in, tag);
    }
    if (!is_read) return false;
  }
  return in.ConsumedEntireMessage();
}

}  // namespace

std::optional<v1::Timing> ReadTiming(grpc::ByteBuffer& answer) {
  if (!answer.Valid()) return std::nullopt;
  grpc::ProtoBufferReader reader(&answer);
  CodedInputStream in(&reader);
  std::optional<v1::Timing> timing;
  if (!ReadGroundResponse(in, timing)) return std::nullopt;
  return timing;
}

std::optional<StreamAnswer> ReadStreamAnswer(grpc::ByteBuffer& buffer) {
  if (!buffer.Valid()) return std::nullopt;
  grpc::ProtoBufferReader reader(&buffer);
  CodedInputStream in(&reader);
  StreamAnswer answer;
  if (!ReadStreamGroundResponse(in, answer)) return std::nullopt;
  return answer;
}

}  // namespace objectdino
