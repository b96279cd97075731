// SPDX-License-Identifier: Apache-2.0
// gMock matchers for absl::Status and absl::StatusOr: IsOk(), StatusIs(code, message matcher).
#ifndef OBJECTDINO_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define OBJECTDINO_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"

namespace objectdino::testing {

inline absl::Status GetStatus(const absl::Status& status) { return status; }
template <typename T>
absl::Status GetStatus(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

MATCHER(IsOk, "is OK") {
  const absl::Status status = GetStatus(arg);
  *result_listener << status.ToString();
  return status.ok();
}

MATCHER_P2(StatusIs, code, message_matcher, "") {
  const absl::Status status = GetStatus(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         ::testing::ExplainMatchResult(message_matcher, std::string(status.message()),
                                       result_listener);
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_STATUS_MATCHERS_H_
