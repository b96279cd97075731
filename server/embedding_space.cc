// SPDX-License-Identifier: Apache-2.0
#include "server/embedding_space.h"

#include "absl/strings/str_cat.h"

namespace objectdino {
namespace {

constexpr size_t kSpaceDigestCharacters = 12;  // of the weights' SHA-256, as in Git

// "10:0,3;11:1": heads by layer.
std::string HeadNames(absl::Span<const HeadRef> heads) {
  std::string names;
  int layer = -1;
  for (const HeadRef& ref : heads) {
    if (ref.layer == layer) {
      absl::StrAppend(&names, ",", ref.head);
    } else {
      absl::StrAppend(&names, layer < 0 ? "" : ";", ref.layer, ":", ref.head);
    }
    layer = ref.layer;
  }
  return names;
}

}  // namespace

std::string EmbeddingSpace(EmbeddingSource source, absl::Span<const HeadRef> heads,
                           const ModelFacts& model) {
  return absl::StrCat(model.name, "@", model.weights_sha256.substr(0, kSpaceDigestCharacters), "/",
                      source == EmbeddingSource::kObjectHeads
                          ? absl::StrCat("values[", HeadNames(heads), "]")
                          : "final-norm");
}

}  // namespace objectdino
