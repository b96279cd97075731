// SPDX-License-Identifier: Apache-2.0
// Which of two requests comes first: the one with the earlier effective deadline, then the one that
// came first. The queue orders by it, and admission foresees that order.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_BATCHING_URGENCY_H_
#define OBJECTDINO_CORE_BATCHING_URGENCY_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"

namespace objectdino {

// Counts up from 1 in order of arrival, by itself in each object that gives tickets.
using Ticket = uint64_t;

// Whoever has waited this long comes before all that arrive from now on, however long its own
// deadline is. So nobody starves behind a stream of tighter deadlines.
inline constexpr absl::Duration kPatience = absl::Seconds(30);

struct Urgency {
  absl::Time effective_deadline;  // min(deadline, arrival + kPatience); for the order only
  Ticket ticket = 0;

  // Less is more urgent.
  friend bool operator<(const Urgency& a, const Urgency& b) {
    return std::pair(a.effective_deadline, a.ticket) < std::pair(b.effective_deadline, b.ticket);
  }
};

inline Urgency UrgencyOf(absl::Time deadline, absl::Time arrival, Ticket ticket) {
  return {std::min(deadline, arrival + kPatience), ticket};
}

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BATCHING_URGENCY_H_
