// SPDX-License-Identifier: Apache-2.0
#include "core/batching/service_estimate.h"

#include <algorithm>
#include <cmath>

namespace objectdino {
namespace {

constexpr double kMeanGain = 1.0 / 8;
constexpr double kDeviationGain = 1.0 / 4;
constexpr double kDeviationGainOfFall = 1.0 / 32;
// Of a class that was observed once, as a share of its mean.
constexpr double kFirstDeviation = 1.0 / 4;
// Deviations above the mean. TCP takes 4; a machine's times spread less than a network's, and here
// a margin costs admitted work.
constexpr double kMargin = 2;

// An observation counts for at most this many times what was expected, and a grain more, below
// which times are noise.
constexpr double kMaxSurprise = 2;
constexpr double kGrainSeconds = 1e-3;

// Silence that means nothing, and how fast trust fades after it.
constexpr double kSilenceSeconds = 1;
constexpr double kSilenceServiceTimes = 2;
constexpr double kHalfLifeSeconds = 1;
// With less trust than this, what is observed next starts the class anew.
constexpr double kMinTrust = 0.5;

// Before as many observations, the fastest may be a slow first run and is no floor.
constexpr int64_t kObservationsOfFloor = 3;
// How fast `fastest` forgets a time that does not come again.
constexpr double kFastestGain = 1.0 / 64;

// How unlike two counts are; 1: equal.
double Ratio(int64_t a, int64_t b) {
  const double ratio = static_cast<double>(a) / static_cast<double>(b);
  return std::max(ratio, 1 / ratio);
}

}  // namespace

double ServiceEstimate::Class::Expected() const { return mean + kMargin * deviation; }

void ServiceEstimate::Observe(uint64_t cost_class, int64_t tokens, absl::Duration per_task) {
  if (per_task < absl::ZeroDuration() || per_task == absl::InfiniteDuration()) return;
  const MutexLock lock(mutex_);
  const absl::Time now = clock_.Now();
  Class& known = FindOrAddLocked(cost_class);
  const bool is_new = known.observations == 0;
  double seconds = absl::ToDoubleSeconds(per_task);
  if (!is_new) seconds = std::min(seconds, kMaxSurprise * known.Expected() + kGrainSeconds);

  const bool starts_anew = is_new || TrustAt(known, now) < kMinTrust ||
                           (known.observations == 1 && seconds < known.mean);
  if (starts_anew) {
    known.mean = seconds;
    known.deviation = kFirstDeviation * seconds;
  } else {
    const double error = seconds - known.mean;
    const double wider = std::abs(error) - known.deviation;
    known.mean += kMeanGain * error;
    known.deviation += (error < 0 && wider > 0 ? kDeviationGainOfFall : kDeviationGain) * wider;
  }
  if (is_new || seconds < known.fastest) {
    known.fastest = seconds;
  } else {
    known.fastest += kFastestGain * (seconds - known.fastest);
  }
  known.tokens = tokens;
  known.last_time = now;
  known.last_turn = ++turn_;
  ++known.observations;
}

absl::Duration ServiceEstimate::Expected(uint64_t cost_class, int64_t tokens) const {
  const MutexLock lock(mutex_);
  if (const Class* known = FindLocked(cost_class)) {
    return absl::Seconds(Aged(*known, known->Expected(), clock_.Now()));
  }
  const Class* nearest = NearestLocked(tokens);
  if (nearest == nullptr) return absl::ZeroDuration();
  return absl::Seconds(nearest->fastest / nearest->tokens * tokens);
}

absl::Duration ServiceEstimate::Mean(uint64_t cost_class, int64_t tokens) const {
  const MutexLock lock(mutex_);
  if (const Class* known = FindLocked(cost_class)) {
    return absl::Seconds(Aged(*known, known->mean, clock_.Now()));
  }
  const Class* nearest = NearestLocked(tokens);
  if (nearest == nullptr) return absl::ZeroDuration();
  return absl::Seconds(Aged(*nearest, nearest->mean, clock_.Now()) / nearest->tokens * tokens);
}

ServiceEstimate::Class& ServiceEstimate::FindOrAddLocked(uint64_t cost_class) {
  for (Class& known : classes_) {
    if (known.id == cost_class) return known;
  }
  Class added;
  added.id = cost_class;
  if (classes_.size() < kMaxClasses) return classes_.emplace_back(added);
  Class& oldest =
      *std::min_element(classes_.begin(), classes_.end(),
                        [](const Class& a, const Class& b) { return a.last_turn < b.last_turn; });
  return oldest = added;
}

const ServiceEstimate::Class* ServiceEstimate::FindLocked(uint64_t cost_class) const {
  for (const Class& known : classes_) {
    if (known.id == cost_class) return &known;
  }
  return nullptr;
}

const ServiceEstimate::Class* ServiceEstimate::NearestLocked(int64_t tokens) const {
  const Class* nearest = nullptr;
  for (const Class& known : classes_) {
    if (nearest == nullptr || Ratio(known.tokens, tokens) < Ratio(nearest->tokens, tokens)) {
      nearest = &known;
    }
  }
  return nearest;
}

// 1 while the class is observed as often as it runs, then halved every kHalfLifeSeconds.
double ServiceEstimate::TrustAt(const Class& known, absl::Time now) {
  const double silence = absl::ToDoubleSeconds(now - known.last_time) - kSilenceSeconds -
                         kSilenceServiceTimes * known.Expected();
  return silence <= 0 ? 1 : std::exp2(-silence / kHalfLifeSeconds);
}

double ServiceEstimate::Aged(const Class& known, double seconds, absl::Time now) {
  const double floor =
      known.observations >= kObservationsOfFloor ? std::min(known.fastest, seconds) : 0;
  return floor + (seconds - floor) * TrustAt(known, now);
}

}  // namespace objectdino
