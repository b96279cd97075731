// SPDX-License-Identifier: Apache-2.0
#include "core/batching/service_estimate.h"

#include "gtest/gtest.h"

#include "core/math/random_state.h"
#include "tests/support/fake_clock.h"

namespace objectdino {
namespace {

constexpr uint64_t kClass = 7;
constexpr int64_t kTokens = 256;

// An estimate that has seen `kClass` take 100 ms +- 10 %, and a machine that goes on.
struct Machine {
  Machine() {
    for (int i = 0; i < 50; ++i) Run(100);
  }
  void Run(double ms) {
    const absl::Duration took = absl::Milliseconds(ms * (0.9 + 0.2 * random.NextDouble()));
    clock.Advance(took);
    estimate.Observe(kClass, kTokens, took);
  }
  double ExpectedMs() const {
    return absl::ToDoubleMilliseconds(estimate.Expected(kClass, kTokens));
  }
  double MeanMs() const { return absl::ToDoubleMilliseconds(estimate.Mean(kClass, kTokens)); }

  RandomState random{5};
  testing::FakeClock clock;
  ServiceEstimate estimate{clock};
};

TEST(ServiceEstimate, NothingObserved_IsZero) {
  const ServiceEstimate estimate;
  EXPECT_EQ(estimate.Expected(kClass, kTokens), absl::ZeroDuration());
  EXPECT_EQ(estimate.Mean(kClass, kTokens), absl::ZeroDuration());
}

TEST(ServiceEstimate, FirstObservation_IsTheMean_WithRoomAbove) {
  testing::FakeClock clock;
  ServiceEstimate estimate(clock);
  estimate.Observe(kClass, kTokens, absl::Milliseconds(100));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(estimate.Mean(kClass, kTokens)), 100, 1e-6);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(estimate.Expected(kClass, kTokens)), 150, 1e-6);
}

TEST(ServiceEstimate, MeanAndDeviation_AreJacobsons) {
  testing::FakeClock clock;
  ServiceEstimate estimate(clock);
  estimate.Observe(kClass, kTokens, absl::Milliseconds(100));
  estimate.Observe(kClass, kTokens, absl::Milliseconds(140));
  // mean 100 + 40 / 8; deviation 25 + (40 - 25) / 4
  EXPECT_NEAR(absl::ToDoubleMilliseconds(estimate.Mean(kClass, kTokens)), 105, 1e-6);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(estimate.Expected(kClass, kTokens)), 105 + 2 * 28.75,
              1e-6);
}

TEST(ServiceEstimate, SteadyMachine_AllowsForItsSpread) {
  const Machine machine;
  EXPECT_NEAR(machine.MeanMs(), 100, 4);
  EXPECT_GT(machine.ExpectedMs(), 104);
  EXPECT_LT(machine.ExpectedMs(), 125);
}

TEST(ServiceEstimate, MachineAtHalfTheSpeed_IsAllowedForAfterThreeObservations) {
  Machine machine;
  for (int i = 0; i < 3; ++i) machine.Run(200);
  EXPECT_GT(machine.ExpectedMs(), 200);
  for (int i = 0; i < 12; ++i) machine.Run(200);
  EXPECT_NEAR(machine.MeanMs(), 200, 30);
  EXPECT_LT(machine.ExpectedMs(), 330);
}

TEST(ServiceEstimate, MachineAtATenthOfTheSpeed_IsAllowedForAfterEight) {
  Machine machine;
  for (int i = 0; i < 8; ++i) machine.Run(1000);
  EXPECT_GT(machine.ExpectedMs(), 1000);
}

TEST(ServiceEstimate, MachineThatComesBack_IsTrustedWithoutASpike) {
  Machine machine;
  for (int i = 0; i < 40; ++i) machine.Run(200);
  const double slow = machine.ExpectedMs();
  for (int i = 0; i < 10; ++i) {
    machine.Run(100);
    EXPECT_LT(machine.ExpectedMs(), 1.05 * slow) << "observation " << i;
  }
  EXPECT_LT(machine.MeanMs(), 135);
  for (int i = 0; i < 20; ++i) machine.Run(100);
  EXPECT_LT(machine.ExpectedMs(), 140);
}

TEST(ServiceEstimate, OneOutlier_DoesNotShutTheDoor) {
  Machine machine;
  machine.Run(2000);
  EXPECT_LT(machine.MeanMs(), 125);
  EXPECT_LT(machine.ExpectedMs(), 250);
  for (int i = 0; i < 10; ++i) machine.Run(100);
  EXPECT_LT(machine.ExpectedMs(), 130);
}

TEST(ServiceEstimate, SlowFirstRun_IsReplacedByTheSecond) {
  testing::FakeClock clock;
  ServiceEstimate estimate(clock);
  estimate.Observe(kClass, kTokens, absl::Seconds(3));
  estimate.Observe(kClass, kTokens, absl::Milliseconds(100));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(estimate.Expected(kClass, kTokens)), 150, 1e-6);
}

TEST(ServiceEstimate, Silence_LowersTheEstimate_ButNotBelowTheFastest) {
  Machine machine;
  for (int i = 0; i < 30; ++i) machine.Run(3000);
  const double shut = machine.ExpectedMs();
  EXPECT_GT(shut, 2700);
  machine.clock.Advance(absl::Seconds(3));
  EXPECT_EQ(machine.ExpectedMs(), shut) << "as long as a run may take";
  machine.clock.Advance(absl::Seconds(20));
  EXPECT_LT(machine.ExpectedMs(), 2000);
  machine.clock.Advance(absl::Hours(1));
  EXPECT_GE(machine.ExpectedMs(), 90);
}

TEST(ServiceEstimate, FastMachineIdleForANight_KeepsItsEstimate) {
  Machine machine;
  machine.clock.Advance(absl::Hours(10));
  EXPECT_GT(machine.ExpectedMs(), 85);
  machine.Run(2000);  // cold caches
  EXPECT_LT(machine.ExpectedMs(), 500);
}

TEST(ServiceEstimate, MachineThatStaysSlow_IsNotHopedToBeFastAgain) {
  Machine machine;
  for (int i = 0; i < 300; ++i) machine.Run(1000);
  machine.clock.Advance(absl::Hours(1));
  EXPECT_GT(machine.ExpectedMs(), 900);
}

TEST(ServiceEstimate, AfterASilence_OneFastRunReopensTheDoor) {
  Machine machine;
  for (int i = 0; i < 30; ++i) machine.Run(3000);
  machine.clock.Advance(absl::Minutes(1));
  machine.Run(100);
  EXPECT_LT(machine.ExpectedMs(), 200);
}

TEST(ServiceEstimate, OneSlowObservation_IsNoFloor) {
  testing::FakeClock clock;
  ServiceEstimate estimate(clock);
  estimate.Observe(kClass, kTokens, absl::Seconds(10));
  clock.Advance(absl::Minutes(2));
  EXPECT_LT(estimate.Expected(kClass, kTokens), absl::Seconds(1));
}

TEST(ServiceEstimate, UnseenClass_TakesTheNearestTimePerToken) {
  testing::FakeClock clock;
  ServiceEstimate estimate(clock);
  estimate.Observe(1, 100, absl::Milliseconds(10));
  estimate.Observe(2, 1000, absl::Milliseconds(300));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(estimate.Mean(3, 200)), 20, 1e-6);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(estimate.Expected(3, 200)), 20, 1e-6);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(estimate.Mean(3, 500)), 150, 1e-6);
}

TEST(ServiceEstimate, ManyClasses_ForgetTheOneObservedLongestAgo) {
  testing::FakeClock clock;
  ServiceEstimate estimate(clock);
  const auto observe = [&](uint64_t id, int ms) {
    estimate.Observe(id, kTokens, absl::Milliseconds(ms));
  };
  const auto mean_ms = [&](uint64_t id) {
    return absl::ToDoubleMilliseconds(estimate.Mean(id, kTokens));
  };
  observe(1, 10);
  observe(2, 20);
  for (uint64_t id = 3; id <= ServiceEstimate::kMaxClasses; ++id) observe(id, 30);
  observe(1, 10);
  observe(1000, 40);
  EXPECT_NEAR(mean_ms(1), 10, 1e-6);
  EXPECT_NEAR(mean_ms(1000), 40, 1e-6);
  EXPECT_NEAR(mean_ms(2), 10, 1e-6) << "the nearest instead, as if it had never been seen";
}

TEST(ServiceEstimate, TimesThatAreNone_AreLeftOut) {
  Machine machine;
  const double before = machine.ExpectedMs();
  machine.estimate.Observe(kClass, kTokens, -absl::Seconds(1));
  machine.estimate.Observe(kClass, kTokens, absl::InfiniteDuration());
  EXPECT_EQ(machine.ExpectedMs(), before);
}

}  // namespace
}  // namespace objectdino
