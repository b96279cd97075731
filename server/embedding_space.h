// SPDX-License-Identifier: Apache-2.0
// The names of the spaces that embeddings live in. Thread-safety: pure function.
#ifndef OBJECTDINO_SERVER_EMBEDDING_SPACE_H_
#define OBJECTDINO_SERVER_EMBEDDING_SPACE_H_

#include <string>

#include "absl/types/span.h"

#include "core/base/head_ref.h"
#include "core/pipeline/ground_options.h"
#include "server/engine.h"

namespace objectdino {

// Embedding.space of the proto without the pooling at its end: "<model>@<digest>/final-norm", or
// "<model>@<digest>/values[10:0,3;11:1]", which names the heads by layer. `heads` is ascending; it
// is looked at with kObjectHeads only.
std::string EmbeddingSpace(EmbeddingSource source, absl::Span<const HeadRef> heads,
                           const ModelFacts& model);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_EMBEDDING_SPACE_H_
