// SPDX-License-Identifier: Apache-2.0
// K-means++ with Lloyd iterations whose labels equal scikit-learn's KMeans for the same seed.
//
// Matches sklearn.cluster.KMeans(n_clusters, init="k-means++", algorithm="lloyd", n_init, max_iter,
// tol, random_state) on dense float32 data: same random stream, same greedy seeding (2 + floor(ln
// k) trials), same empty-cluster rule, same stopping rule, same choice among restarts. Distances
// come from the n x n Gram matrix of the mean-centred rows, accumulated in float64, which makes the
// restarts nearly free for wide rows (cost.md: kernel form of Lloyd).
//
// Cost: O(n^2 features) once, then O(n_init * iterations * n^2). Thread-safety: pure function.
#ifndef OBJECTDINO_CORE_MATH_KMEANS_H_
#define OBJECTDINO_CORE_MATH_KMEANS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace objectdino {

struct KMeansOptions {
  int clusters = 5;    // 1 .. number of rows
  int restarts = 10;   // n_init, >= 1
  uint32_t seed = 42;  // random_state
  int max_iterations = 300;
  double tolerance = 1e-4;  // relative to the mean variance of the columns
};

struct KMeansResult {
  std::vector<int> labels;  // [rows], in 0 .. clusters-1
  double inertia = 0;       // sum of squared distances to the own centre
};

// `data` is row-major [rows, features]. INVALID_ARGUMENT for sizes that do not fit, fewer rows than
// clusters, or values that are not finite.
absl::StatusOr<KMeansResult> KMeans(absl::Span<const float> data, int rows, int features,
                                    const KMeansOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_MATH_KMEANS_H_
