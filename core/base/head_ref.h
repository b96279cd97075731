// SPDX-License-Identifier: Apache-2.0
// The name of an attention head.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_BASE_HEAD_REF_H_
#define OBJECTDINO_CORE_BASE_HEAD_REF_H_

#include <compare>

namespace objectdino {

struct HeadRef {
  int layer = 0;  // 0 .. L-1
  int head = 0;   // 0 .. H-1
  friend auto operator<=>(const HeadRef&, const HeadRef&) = default;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BASE_HEAD_REF_H_
