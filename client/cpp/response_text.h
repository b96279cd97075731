// SPDX-License-Identifier: Apache-2.0
// Answers for human eyes: compact tables of plain text. Thread-safety: pure functions.
#ifndef OBJECTDINO_CLIENT_CPP_RESPONSE_TEXT_H_
#define OBJECTDINO_CLIENT_CPP_RESPONSE_TEXT_H_

#include <string>

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// The file and its size (width x height), a line an object, timings, warnings.
std::string GroundingText(const std::string& file, const v1::GroundResponse& response);

// The same with a line a region: its score, objectness inside and around, how much of it objects
// cover, the object that fits it best (numbered as GroundingText does), and the box it was read in.
std::string VerificationText(const std::string& file, const v1::VerifyRegionsResponse& response);

// "object_dino" for METHOD_OBJECT_DINO.
std::string MethodName(v1::Method method);

// An indented line: code and message.
std::string WarningText(const v1::Warning& warning);

// What is served: model, build, limits, defaults.
std::string ModelInfoText(const v1::GetModelInfoResponse& info);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_RESPONSE_TEXT_H_
