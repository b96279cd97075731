// SPDX-License-Identifier: Apache-2.0
#include "core/math/kmeans.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "Eigen/Core"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/math/random_state.h"

namespace objectdino {
namespace {

constexpr double kRounding = 1e-12;  // relative difference that counts as none

// Centres are combinations of the rows, so that their dot products are all that Lloyd needs.
struct Centres {
  Eigen::MatrixXd dots;   // [rows, clusters], x_i . c_j
  Eigen::VectorXd norms;  // [clusters], c_j . c_j

  double SquaredDistance(const Eigen::MatrixXd& gram, int row, int cluster) const {
    return std::max(0.0, gram(row, row) - 2 * dots(row, cluster) + norms[cluster]);
  }
};

absl::Status Validate(absl::Span<const float> data, int rows, int features,
                      const KMeansOptions& options) {
  if (rows < 1 || features < 1 ||
      data.size() != static_cast<size_t>(rows) * static_cast<size_t>(features)) {
    return absl::InvalidArgumentError(
        absl::StrCat("k-means: ", data.size(), " values are not ", rows, " x ", features));
  }
  if (options.clusters < 1 || options.clusters > rows) {
    return absl::InvalidArgumentError(absl::StrCat("k-means: clusters = ", options.clusters,
                                                   " is not in 1 .. ", rows, " (rows)"));
  }
  if (options.restarts < 1 || options.max_iterations < 1 || !(options.tolerance >= 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "k-means: restarts = ", options.restarts, ", max_iterations = ", options.max_iterations,
        " or tolerance = ", options.tolerance, " is out of range"));
  }
  if (!std::all_of(data.begin(), data.end(), [](float value) { return std::isfinite(value); })) {
    return absl::InvalidArgumentError("k-means: a value is not finite");
  }
  return absl::OkStatus();
}

// [rows, rows], dot products of the mean-centred rows.
Eigen::MatrixXd CentredGram(absl::Span<const float> data, int rows, int features) {
  Eigen::MatrixXd x =  // [features, rows]: one column a row of data
      Eigen::Map<const Eigen::MatrixXf>(data.data(), features, rows).cast<double>();
  x.colwise() -= x.rowwise().mean().eval();
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(rows, rows);
  gram.selfadjointView<Eigen::Lower>().rankUpdate(x.transpose());
  gram.triangularView<Eigen::StrictlyUpper>() = gram.transpose();
  return gram;
}

// First index whose value in `cumulative` is > u (numpy's choice).
int DrawUniform(int rows, double u) {
  const auto p = static_cast<double>(1.0f / static_cast<float>(rows));
  std::vector<double> cumulative(rows, p);
  std::partial_sum(cumulative.begin(), cumulative.end(), cumulative.begin());
  for (double& value : cumulative) value /= cumulative.back();
  const auto found = std::upper_bound(cumulative.begin(), cumulative.end(), u);
  return std::min(static_cast<int>(found - cumulative.begin()), rows - 1);
}

// Squared distances of all rows to row `index`.
Eigen::VectorXd DistancesToRow(const Eigen::MatrixXd& gram, int index) {
  return (gram.diagonal().array() - 2 * gram.col(index).array() + gram(index, index)).max(0.0);
}

// Greedy k-means++ (Arthur and Vassilvitskii 2007): rows to start from.
std::vector<int> ChooseSeeds(const Eigen::MatrixXd& gram, int clusters, RandomState& random) {
  const auto rows = static_cast<int>(gram.rows());
  const int trials = 2 + static_cast<int>(std::log(clusters));
  std::vector<int> seeds = {DrawUniform(rows, random.NextDouble())};
  Eigen::VectorXd closest = DistancesToRow(gram, seeds[0]);
  double potential = closest.sum();
  std::vector<double> cumulative(rows);
  std::vector<double> draws(trials);
  while (static_cast<int>(seeds.size()) < clusters) {
    std::partial_sum(closest.begin(), closest.end(), cumulative.begin());
    for (double& draw : draws) draw = random.NextDouble() * potential;
    int best = -1;
    double best_potential = std::numeric_limits<double>::infinity();
    Eigen::VectorXd best_closest;
    for (const double draw : draws) {
      const auto found = std::lower_bound(cumulative.begin(), cumulative.end(), draw);
      const int candidate = std::min(static_cast<int>(found - cumulative.begin()), rows - 1);
      Eigen::VectorXd distances = closest.cwiseMin(DistancesToRow(gram, candidate));
      // Two rows of a close pair tie exactly: the first drawn wins, whatever the rounding.
      if (best >= 0 && distances.sum() >= best_potential * (1 - kRounding)) continue;
      best = candidate;
      best_potential = distances.sum();
      best_closest = std::move(distances);
    }
    seeds.push_back(best);
    closest = std::move(best_closest);
    potential = best_potential;
  }
  return seeds;
}

Centres CentresAtRows(const Eigen::MatrixXd& gram, const std::vector<int>& seeds) {
  Centres centres = {Eigen::MatrixXd(gram.rows(), seeds.size()), Eigen::VectorXd(seeds.size())};
  for (size_t j = 0; j < seeds.size(); ++j) {
    centres.dots.col(j) = gram.col(seeds[j]);
    centres.norms[j] = gram(seeds[j], seeds[j]);
  }
  return centres;
}

std::vector<int> NearestCentres(const Centres& centres) {
  std::vector<int> labels(centres.dots.rows());
  for (size_t i = 0; i < labels.size(); ++i) {
    (centres.norms.transpose() - 2 * centres.dots.row(i)).minCoeff(&labels[i]);
  }
  return labels;
}

// Gives each empty cluster the row farthest from its own centre, taken from that row's cluster.
void FillEmptyClusters(const Eigen::MatrixXd& gram, const Centres& centres,
                       std::vector<int>& members) {
  std::vector<int> counts(centres.norms.size(), 0);
  for (const int member : members) ++counts[member];
  if (std::find(counts.begin(), counts.end(), 0) == counts.end()) return;

  std::vector<double> distances(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    distances[i] = centres.SquaredDistance(gram, static_cast<int>(i), members[i]);
  }
  std::vector<int> order(members.size());
  std::iota(order.rbegin(), order.rend(), 0);  // the later row first on ties
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return distances[a] > distances[b]; });
  if (distances[order[0]] <= kRounding * gram.diagonal().maxCoeff()) return;
  size_t next = 0;
  for (size_t j = 0; j < counts.size(); ++j) {
    if (counts[j] == 0) members[order[next++]] = static_cast<int>(j);
  }
}

// The means of the clusters. A cluster that is still empty goes to the largest cluster's centre;
// scikit-learn averages in place and in order, so an earlier one gets the sum instead of the mean.
Centres CentresOfMembers(const Eigen::MatrixXd& gram, const std::vector<int>& members,
                         int clusters) {
  Centres centres = {Eigen::MatrixXd::Zero(gram.rows(), clusters), Eigen::VectorXd::Zero(clusters)};
  std::vector<int> counts(clusters, 0);
  for (size_t i = 0; i < members.size(); ++i) {
    centres.dots.col(members[i]) += gram.col(i);
    ++counts[members[i]];
  }
  for (size_t i = 0; i < members.size(); ++i) {
    centres.norms[members[i]] += centres.dots(i, members[i]);
  }
  const auto largest = std::max_element(counts.begin(), counts.end()) - counts.begin();
  for (int j = 0; j < clusters; ++j) {
    if (counts[j] > 0) {
      centres.dots.col(j) /= counts[j];
      centres.norms[j] /= double{1} * counts[j] * counts[j];
    } else {
      centres.dots.col(j) = centres.dots.col(largest);
      centres.norms[j] = centres.norms[largest];
    }
  }
  return centres;
}

// Sum of squared moves of the centres; `members` are those of `to`.
double TotalShift(const Centres& from, const Centres& to, const std::vector<int>& members) {
  const Eigen::Index clusters = from.norms.size();
  Eigen::VectorXd cross = Eigen::VectorXd::Zero(clusters);  // from_j . to_j
  Eigen::VectorXd counts = Eigen::VectorXd::Zero(clusters);
  for (size_t i = 0; i < members.size(); ++i) {
    cross[members[i]] += from.dots(i, members[i]);
    counts[members[i]] += 1;
  }
  cross.array() /= counts.array().max(1.0);
  return (from.norms + to.norms - 2 * cross).sum();
}

KMeansResult RunLloyd(const Eigen::MatrixXd& gram, const std::vector<int>& seeds,
                      int max_iterations, double tolerance) {
  Centres centres = CentresAtRows(gram, seeds);
  KMeansResult result;
  bool stable = false;
  for (int iteration = 0; iteration < max_iterations; ++iteration) {
    std::vector<int> labels = NearestCentres(centres);
    std::vector<int> members = labels;
    FillEmptyClusters(gram, centres, members);
    Centres moved = CentresOfMembers(gram, members, static_cast<int>(seeds.size()));
    const double shift = TotalShift(centres, moved, members);
    centres = std::move(moved);
    stable = labels == result.labels;
    result.labels = std::move(labels);
    if (stable || shift <= tolerance) break;
  }
  if (!stable) result.labels = NearestCentres(centres);
  for (size_t i = 0; i < result.labels.size(); ++i) {
    result.inertia += centres.SquaredDistance(gram, static_cast<int>(i), result.labels[i]);
  }
  return result;
}

// `a` is `b` with its labels renamed.
bool IsSameClustering(const std::vector<int>& a, const std::vector<int>& b, int clusters) {
  std::vector<int> renamed(clusters, -1);
  for (size_t i = 0; i < a.size(); ++i) {
    int& name = renamed[a[i]];
    if (name == -1) name = b[i];
    if (name != b[i]) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<KMeansResult> KMeans(absl::Span<const float> data, int rows, int features,
                                    const KMeansOptions& options) {
  if (absl::Status status = Validate(data, rows, features, options); !status.ok()) return status;
  const Eigen::MatrixXd gram = CentredGram(data, rows, features);
  const double mean_variance = gram.trace() / rows / features;
  RandomState random(options.seed);
  KMeansResult best;
  for (int restart = 0; restart < options.restarts; ++restart) {
    const std::vector<int> seeds = ChooseSeeds(gram, options.clusters, random);
    KMeansResult result =
        RunLloyd(gram, seeds, options.max_iterations, options.tolerance * mean_variance);
    if (restart == 0 || (result.inertia < best.inertia &&
                         !IsSameClustering(result.labels, best.labels, options.clusters))) {
      best = std::move(result);
    }
  }
  return best;
}

}  // namespace objectdino
