// SPDX-License-Identifier: Apache-2.0
// Requests that need no codec.
#ifndef OBJECTDINO_TESTS_SUPPORT_REQUESTS_H_
#define OBJECTDINO_TESTS_SUPPORT_REQUESTS_H_

#include <string>

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino::testing {

// A 2 x 3 black picture.
inline v1::GroundRequest RawRequest(const std::string& id = "") {
  v1::GroundRequest request;
  v1::RawImage* raw = request.mutable_image()->mutable_raw();
  raw->set_height(2);
  raw->set_width(3);
  raw->set_rgb(std::string(2 * 3 * 3, '\0'));
  request.set_request_id(id);
  return request;
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_REQUESTS_H_
