// SPDX-License-Identifier: Apache-2.0
// Early returns for absl::Status and absl::StatusOr, and a check for programmer errors.
//
//   OBJECTDINO_RETURN_IF_ERROR(options.Validate());
//   OBJECTDINO_ASSIGN_OR_RETURN(const Image image, DecodeImage(bytes, limits));
//
// Input is never checked with OBJECTDINO_CHECK: bad input is a Status.
#ifndef OBJECTDINO_CORE_BASE_STATUS_MACROS_H_
#define OBJECTDINO_CORE_BASE_STATUS_MACROS_H_

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define OBJECTDINO_CONCAT_INNER(a, b) a##b
#define OBJECTDINO_CONCAT(a, b) OBJECTDINO_CONCAT_INNER(a, b)

#define OBJECTDINO_RETURN_IF_ERROR(expression)             \
  do {                                                     \
    absl::Status objectdino_status = (expression);         \
    if (!objectdino_status.ok()) return objectdino_status; \
  } while (false)

#define OBJECTDINO_ASSIGN_OR_RETURN(declaration, expression)                                 \
  OBJECTDINO_ASSIGN_OR_RETURN_IMPL(OBJECTDINO_CONCAT(objectdino_or_, __LINE__), declaration, \
                                   expression)

// NOLINTBEGIN(bugprone-macro-parentheses): `declaration` may declare, so it cannot stand in
// parentheses.
#define OBJECTDINO_ASSIGN_OR_RETURN_IMPL(status_or, declaration, expression) \
  auto status_or = (expression);                                             \
  if (!status_or.ok()) return std::move(status_or).status();                 \
  declaration = *std::move(status_or)
// NOLINTEND(bugprone-macro-parentheses)

// Aborts on a broken invariant of our own code.
#define OBJECTDINO_CHECK(condition) \
  do {                              \
    if (!(condition)) std::abort(); \
  } while (false)

#endif  // OBJECTDINO_CORE_BASE_STATUS_MACROS_H_
