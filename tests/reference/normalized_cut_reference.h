// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/objects/normalized_cut: (D - W) y = lambda D y by Eigen's dense generalised
// solver.
#ifndef OBJECTDINO_TESTS_REFERENCE_NORMALIZED_CUT_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_NORMALIZED_CUT_REFERENCE_H_

#include <vector>

#include "Eigen/Eigenvalues"

namespace objectdino::reference {

struct CutSpectrum {
  Eigen::VectorXd fiedler;
  double second = 0;
  double third = 0;
};

// `weights` is symmetric, at least 3 x 3.
inline CutSpectrum SolveCut(const Eigen::MatrixXd& weights) {
  const Eigen::MatrixXd degrees = weights.rowwise().sum().asDiagonal();
  const Eigen::GeneralizedSelfAdjointEigenSolver<Eigen::MatrixXd> solver(degrees - weights,
                                                                         degrees);
  return {solver.eigenvectors().col(1), solver.eigenvalues()[1], solver.eigenvalues()[2]};
}

inline CutSpectrum SolveBinaryCut(const std::vector<float>& affinity, int patches, double tau) {
  Eigen::MatrixXd weights(patches, patches);
  for (int i = 0; i < patches; ++i) {
    for (int j = 0; j < patches; ++j) weights(i, j) = affinity[i * patches + j] > tau ? 1 : 1e-5;
  }
  return SolveCut(weights);
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_NORMALIZED_CUT_REFERENCE_H_
