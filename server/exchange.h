// SPDX-License-Identifier: Apache-2.0
// An RPC's request and response, as far as an image's way through the server goes: the same for all
// RPCs that ground an image. Views: both messages outlive it. Thread-safety: a plain value.
#ifndef OBJECTDINO_SERVER_EXCHANGE_H_
#define OBJECTDINO_SERVER_EXCHANGE_H_

#include <google/protobuf/message.h>
#include <google/protobuf/repeated_ptr_field.h>

#include "objectdino/v1/grounding_service.pb.h"
#include "server/ground_request.h"

namespace objectdino {

struct Exchange {
  Exchange(const v1::GroundRequest& ask, v1::GroundResponse* answer)
      : request(ask), question(QuestionOf(ask)), response(*answer), grounding(*answer) {}
  Exchange(const v1::VerifyRegionsRequest& ask, v1::VerifyRegionsResponse* answer)
      : request(ask),
        question{ask.image(), ask.options(), ask.request_id()},
        regions(&ask.regions()),
        response(*answer),
        grounding(*answer->mutable_grounding()),
        scores(answer->mutable_scores()) {}

  const google::protobuf::Message& request;
  const GroundQuestion question;
  const google::protobuf::RepeatedPtrField<v1::Region>* regions = nullptr;  // of VerifyRegions

  google::protobuf::Message& response;
  v1::GroundResponse& grounding;  // a part of `response`
  google::protobuf::RepeatedPtrField<v1::RegionScore>* const scores = nullptr;  // with `regions`
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_EXCHANGE_H_
