// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/math/kmeans: the same k-means++ and Lloyd on coordinates in double, without
// the Gram matrix. It does not know what to do with an empty cluster: `emptied` says that it met
// one, and the result is then worthless.
#ifndef OBJECTDINO_TESTS_REFERENCE_KMEANS_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_KMEANS_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <vector>

#include "core/math/kmeans.h"
#include "core/math/random_state.h"

namespace objectdino::reference {

using Rows = std::vector<std::vector<double>>;

struct KMeansRun {
  std::vector<int> labels;
  double inertia = 0;
  bool emptied = false;
};

inline double SquaredDistance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t d = 0; d < a.size(); ++d) sum += (a[d] - b[d]) * (a[d] - b[d]);
  return sum;
}

inline Rows PlusPlusCentres(const Rows& x, int clusters, RandomState& random) {
  const auto last = static_cast<int>(x.size()) - 1;
  const int first =
      std::min(last, static_cast<int>(random.NextDouble() * static_cast<double>(x.size())));
  Rows centres = {x[first]};
  std::vector<double> closest;
  for (const auto& row : x) closest.push_back(SquaredDistance(row, centres[0]));
  while (static_cast<int>(centres.size()) < clusters) {
    const double potential = std::accumulate(closest.begin(), closest.end(), 0.0);
    std::vector<double> draws(2 + static_cast<int>(std::log(clusters)));
    for (double& draw : draws) draw = random.NextDouble() * potential;
    std::vector<double> best;
    double best_sum = 0;
    int chosen = 0;
    for (const double draw : draws) {
      double sum = 0;
      int candidate = -1;
      while (candidate < last && (candidate < 0 || sum < draw)) sum += closest[++candidate];
      std::vector<double> after;
      for (size_t i = 0; i < x.size(); ++i) {
        after.push_back(std::min(closest[i], SquaredDistance(x[i], x[candidate])));
      }
      const double after_sum = std::accumulate(after.begin(), after.end(), 0.0);
      if (!best.empty() && after_sum >= best_sum * (1 - 1e-12)) continue;
      best = after;
      best_sum = after_sum;
      chosen = candidate;
    }
    centres.push_back(x[chosen]);
    closest = best;
  }
  return centres;
}

inline KMeansRun Lloyd(const Rows& x, Rows centres, int max_iterations, double tolerance) {
  KMeansRun run;
  const auto assign = [&] {
    std::vector<int> labels;
    for (const auto& row : x) {
      std::vector<double> distances;
      for (const auto& centre : centres) distances.push_back(SquaredDistance(row, centre));
      labels.push_back(static_cast<int>(std::min_element(distances.begin(), distances.end()) -
                                        distances.begin()));
    }
    return labels;
  };
  for (int iteration = 0; iteration < max_iterations; ++iteration) {
    const std::vector<int> labels = assign();
    Rows moved(centres.size(), std::vector<double>(x[0].size(), 0));
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t d = 0; d < x[i].size(); ++d) moved[labels[i]][d] += x[i][d];
    }
    double shift = 0;
    for (size_t j = 0; j < moved.size(); ++j) {
      const auto count =
          static_cast<double>(std::count(labels.begin(), labels.end(), static_cast<int>(j)));
      run.emptied |= count == 0;
      for (double& value : moved[j]) value /= count;
      shift += SquaredDistance(moved[j], centres[j]);
    }
    centres = moved;
    const bool stable = labels == run.labels;
    run.labels = labels;
    if (stable || shift <= tolerance) break;
  }
  run.labels = assign();
  for (size_t i = 0; i < x.size(); ++i)
    run.inertia += SquaredDistance(x[i], centres[run.labels[i]]);
  return run;
}

inline KMeansRun KMeans(Rows x, const KMeansOptions& options) {
  const auto count = static_cast<double>(x.size());
  double variance = 0;  // mean over the columns
  for (size_t d = 0; d < x[0].size(); ++d) {
    double mean = 0;
    for (const auto& row : x) mean += row[d] / count;
    for (auto& row : x) row[d] -= mean;
    for (const auto& row : x) {
      variance += row[d] * row[d] / count / static_cast<double>(x[0].size());
    }
  }
  RandomState random(options.seed);
  KMeansRun best;
  for (int restart = 0; restart < options.restarts; ++restart) {
    KMeansRun run = Lloyd(x, PlusPlusCentres(x, options.clusters, random), options.max_iterations,
                          options.tolerance * variance);
    run.emptied |= best.emptied;
    std::map<int, int> names;
    bool same = restart > 0;
    for (size_t i = 0; same && i < x.size(); ++i) {
      same = names.emplace(run.labels[i], best.labels[i]).first->second == best.labels[i];
    }
    if (restart == 0 || (!same && run.inertia < best.inertia)) best = run;
    best.emptied = run.emptied;
  }
  return best;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_KMEANS_REFERENCE_H_
