// SPDX-License-Identifier: Apache-2.0
// The requests of a load one by one, for other programs to compute with.
// Thread-safety: pure function.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_OUTCOMES_CSV_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_OUTCOMES_CSV_H_

#include <string>

#include "absl/types/span.h"

#include "client/cpp/load/outcome.h"

namespace objectdino {

// A header and a line a request, in the order in which they ended; the fields of Outcome, times in
// seconds, flags 0 or 1.
std::string OutcomesCsv(absl::Span<const Outcome> outcomes);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_OUTCOMES_CSV_H_
