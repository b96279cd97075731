// SPDX-License-Identifier: Apache-2.0
// The first image through an engine, before a caller's.
#ifndef OBJECTDINO_SERVER_WARM_UP_H_
#define OBJECTDINO_SERVER_WARM_UP_H_

#include "absl/status/status.h"

#include "core/pipeline/ground_options.h"
#include "server/engine.h"

namespace objectdino {

// Grounds a synthetic image with `options` once per lane, all at the same time, so that memory,
// kernels and threads are there when a request comes. The engine's status, if it fails.
// REQUIRES: lanes >= 1.
absl::Status WarmUp(const GroundingEngine& engine, const GroundOptions& options, int lanes);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_WARM_UP_H_
