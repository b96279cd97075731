// SPDX-License-Identifier: Apache-2.0
// Which of an attention head's queries, keys and values are looked at.
// Thread-safety: plain values.
#ifndef OBJECTDINO_CORE_BASE_ATTENTION_COMPONENTS_H_
#define OBJECTDINO_CORE_BASE_ATTENTION_COMPONENTS_H_

#include <vector>

namespace objectdino {

struct AttentionComponents {
  bool query = true;
  bool key = true;
  bool value = true;

  // Numbers of the components, ascending: 0 = query, 1 = key, 2 = value.
  std::vector<int> indices() const {
    std::vector<int> indices;
    if (query) indices.push_back(0);
    if (key) indices.push_back(1);
    if (value) indices.push_back(2);
    return indices;
  }
  bool none() const { return !query && !key && !value; }
  friend bool operator==(const AttentionComponents&, const AttentionComponents&) = default;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BASE_ATTENTION_COMPONENTS_H_
