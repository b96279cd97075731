// SPDX-License-Identifier: Apache-2.0
#include "core/objects/normalized_cut.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <optional>
#include <random>
#include <utility>

#include "Eigen/Eigenvalues"
#include "Spectra/SymEigsSolver.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/objects/patch_graph.h"

namespace objectdino {
namespace {

constexpr int kDensePatches = 64;  // up to here a dense solve is faster
// Lanczos vectors between restarts: few are fast, many cope with crowded eigenvalues.
constexpr int kKrylovDimensions[] = {24, 128};
constexpr int kMaxRestarts = 100;
constexpr double kVectorTolerance = 1e-9;  // residual of the Fiedler vector
constexpr double kGapTolerance = 1e-5;     // of the vector behind it, whose value alone is used

struct EigenPair {
  double value = 0;
  Eigen::VectorXd vector;
};

// M = D^-1/2 W D^-1/2 with the eigenvectors found so far moved to the bottom of the spectrum. All
// eigenvalues of M are in [-1, 1], so subtracting 2 leaves the largest other one on top.
class CutOperator {
 public:
  using Scalar = double;

  explicit CutOperator(const PatchGraph& graph) : graph_(graph), scaled_(graph.size()) {
    Eigen::VectorXd degrees(graph.size());
    graph.Multiply(Eigen::VectorXd::Ones(graph.size()).eval().data(), degrees.data());
    scale_ = degrees.cwiseSqrt().cwiseInverse();
    Deflate(degrees.cwiseSqrt().normalized());  // eigenvalue 1
  }

  void Deflate(Eigen::VectorXd vector) { deflated_.push_back(std::move(vector)); }
  // D^-1/2
  const Eigen::VectorXd& scale() const { return scale_; }

  Eigen::Index rows() const { return scale_.size(); }
  Eigen::Index cols() const { return scale_.size(); }
  void perform_op(const double* x, double* y) const {
    const Eigen::Map<const Eigen::VectorXd> in(x, rows());
    Eigen::Map<Eigen::VectorXd> out(y, rows());
    scaled_ = scale_.cwiseProduct(in);
    graph_.Multiply(scaled_.data(), y);
    out.array() *= scale_.array();
    for (const Eigen::VectorXd& v : deflated_) out -= 2 * v.dot(in) * v;
  }

 private:
  const PatchGraph& graph_;
  Eigen::VectorXd scale_;
  std::vector<Eigen::VectorXd> deflated_;
  mutable Eigen::VectorXd scaled_;  // work space of perform_op
};

Eigen::VectorXd StartVector(Eigen::Index size, unsigned seed) {
  std::mt19937 engine(seed);
  return Eigen::VectorXd::NullaryExpr(
      size, [&](Eigen::Index) { return static_cast<double>(engine()) - 0x1p31; });
}

// The largest eigenpair; nothing if Lanczos does not converge.
std::optional<EigenPair> TopByLanczos(CutOperator& op, double tolerance, unsigned seed) {
  const Eigen::VectorXd start = StartVector(op.rows(), seed);
  for (const int vectors : kKrylovDimensions) {
    try {
      Spectra::SymEigsSolver<CutOperator> solver(op, 1, std::min<Eigen::Index>(vectors, op.rows()));
      solver.init(start.data());
      solver.compute(Spectra::SortRule::LargestAlge, kMaxRestarts, tolerance);
      if (solver.info() == Spectra::CompInfo::Successful) {
        return EigenPair{solver.eigenvalues()[0], solver.eigenvectors(1).col(0)};
      }
    } catch (const std::exception&) {
      continue;  // Spectra gave up on a breakdown: more vectors, then the dense solver
    }
  }
  return std::nullopt;
}

// The two largest eigenpairs. One at a time and from different starts: Lanczos sees only one
// direction of the space of a repeated eigenvalue, that of its start vector.
std::optional<std::pair<EigenPair, EigenPair>> TwoByLanczos(CutOperator op) {
  std::optional<EigenPair> first = TopByLanczos(op, kVectorTolerance, 1);
  if (!first) return std::nullopt;
  op.Deflate(first->vector);
  std::optional<EigenPair> second = TopByLanczos(op, kGapTolerance, 2);
  if (!second) return std::nullopt;
  return std::pair(*std::move(first), *std::move(second));
}

std::pair<EigenPair, EigenPair> TwoDense(const CutOperator& op) {
  const Eigen::Index n = op.rows();
  Eigen::MatrixXd matrix(n, n);
  for (Eigen::Index j = 0; j < n; ++j) {
    op.perform_op(Eigen::VectorXd::Unit(n, j).eval().data(), matrix.col(j).data());
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  const auto pair = [&](Eigen::Index i) {
    return EigenPair{solver.eigenvalues()[i], solver.eigenvectors().col(i)};
  };
  return {pair(n - 1), pair(n - 2)};
}

NormalizedCut Cut(const PatchGraph& graph, EigenSolver choice) {
  const CutOperator op(graph);
  std::optional<std::pair<EigenPair, EigenPair>> pairs;
  const bool small = graph.size() <= kDensePatches;
  if (choice == EigenSolver::kIterative ? graph.size() > 2
                                        : choice == EigenSolver::kAuto && !small) {
    pairs = TwoByLanczos(op);
  }
  if (!pairs) pairs = TwoDense(op);
  const auto& [fiedler, next] = *pairs;
  const Eigen::VectorXd y = op.scale().cwiseProduct(fiedler.vector);
  NormalizedCut cut;
  cut.fiedler.assign(y.begin(), y.end());
  cut.eigenvalue = std::clamp(1 - fiedler.value, 0.0, 2.0);
  cut.eigengap = std::max(0.0, fiedler.value - next.value);
  return cut;
}

}  // namespace

absl::StatusOr<NormalizedCut> CutGraph(absl::Span<const float> affinity, int patches,
                                       const NormalizedCutOptions& options) {
  if (patches < 2 || affinity.size() != static_cast<size_t>(patches) * patches) {
    return absl::InvalidArgumentError(absl::StrCat("normalised cut: ", affinity.size(),
                                                   " affinities are not ", patches, " squared"));
  }
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::isfinite(options.tau) || !std::all_of(affinity.begin(), affinity.end(), finite)) {
    return absl::InvalidArgumentError("normalised cut: tau or an affinity is not finite");
  }

  double tau = options.tau;
  PatchGraph graph = PatchGraph::Binary(affinity, patches, tau);
  const bool degenerate = graph.IsUniform();
  if (degenerate) {
    const double smallest = *std::min_element(affinity.begin(), affinity.end());
    tau = smallest < 0 ? 0.5 * smallest : 1.5 * smallest;
    graph = PatchGraph::Binary(affinity, patches, tau);
  }
  if (graph.IsUniform()) {
    tau = PatchGraph::kWeakEdge;
    graph = PatchGraph::Weighted(affinity, patches);
  }
  NormalizedCut cut = Cut(graph, options.solver);
  cut.tau = tau;
  cut.degenerate = degenerate;
  return cut;
}

Bipartition SplitBySeed(absl::Span<const double> fiedler) {
  const Eigen::Map<const Eigen::VectorXd> y(fiedler.data(),
                                            static_cast<Eigen::Index>(fiedler.size()));
  Bipartition result;
  y.cwiseAbs().maxCoeff(&result.seed);
  const double mean = y.mean();
  const bool seed_is_above = y[result.seed] > mean;
  for (const double value : fiedler) result.mask.push_back((value > mean) == seed_is_above ? 1 : 0);
  return result;
}

Bipartition SplitByWeights(absl::Span<const double> fiedler, absl::Span<const float> side_weights) {
  const Eigen::Map<const Eigen::VectorXd> y(fiedler.data(),
                                            static_cast<Eigen::Index>(fiedler.size()));
  const double mean = y.mean();
  double total[2] = {0, 0};  // of the weights at or below, and above the mean
  int count[2] = {0, 0};
  for (size_t i = 0; i < fiedler.size(); ++i) {
    const int side = fiedler[i] > mean ? 1 : 0;
    total[side] += side_weights[i];
    ++count[side];
  }
  const bool above = count[0] == 0 || (count[1] > 0 && total[1] / count[1] >= total[0] / count[0]);
  Bipartition result;
  double best = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < fiedler.size(); ++i) {
    const bool inside = (fiedler[i] > mean) == above;
    result.mask.push_back(inside ? 1 : 0);
    const double oriented = above ? fiedler[i] : -fiedler[i];
    if (inside && oriented > best) {
      best = oriented;
      result.seed = static_cast<int>(i);
    }
  }
  return result;
}

}  // namespace objectdino
