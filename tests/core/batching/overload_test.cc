// SPDX-License-Identifier: Apache-2.0
// What admission, queue and estimate are for, in simulated time: under overload the machine keeps
// computing answers that somebody still waits for. Bars from the design, for a server of 2 lanes,
// 100 ms +- 20 % a request, deadlines of 2 s.
#include "gtest/gtest.h"

#include "tests/core/batching/overload_simulator.h"

namespace objectdino {
namespace {

using testing::OverloadSimulator;
using testing::Scenario;
using testing::Tally;

constexpr uint32_t kSeeds = 5;

class Overload : public ::testing::TestWithParam<int> {  // max_batch
 protected:
  Scenario At(double load) const {
    Scenario scenario;
    scenario.load = load;
    scenario.max_batch = GetParam();
    return scenario;
  }
};

TEST_P(Overload, Steady_GoodputIsCapacity) {
  for (const double load : {1.5, 2.0}) {
    for (uint32_t seed = 1; seed <= kSeeds; ++seed) {
      Scenario scenario = At(load);
      scenario.seed = seed;
      const Tally tally = OverloadSimulator(scenario).Run();
      EXPECT_GE(tally.goodput(), 0.98) << load << ": " << tally;
      EXPECT_LT(tally.wasted_share(), 0.005) << load << ": " << tally;
      EXPECT_LT(tally.late_share(), 0.01) << load << ": " << tally;
    }
  }
}

TEST_P(Overload, SpeedHalves_GoodputIsTheCapacityThatIsLeft) {
  for (const double load : {1.5, 2.0}) {
    for (uint32_t seed = 1; seed <= kSeeds; ++seed) {
      Scenario scenario = At(load);
      scenario.seed = seed;
      scenario.length = absl::Seconds(60);
      scenario.changes_at = absl::Seconds(30);
      scenario.counts_from = absl::Seconds(30);
      scenario.changed_speed = 0.5;
      const Tally tally = OverloadSimulator(scenario).Run();
      EXPECT_GE(tally.goodput(), 0.95) << load << ": " << tally;
      EXPECT_LT(tally.wasted_share(), 0.01) << load << ": " << tally;
    }
  }
}

TEST_P(Overload, SpeedComesBack_SoDoesTheGoodput) {
  Scenario scenario = At(1.5);
  scenario.length = absl::Seconds(90);
  scenario.changes_at = absl::Seconds(30);
  scenario.changes_back_at = absl::Seconds(60);
  scenario.counts_from = absl::Seconds(60);
  scenario.changed_speed = 0.5;
  const Tally tally = OverloadSimulator(scenario).Run();
  EXPECT_GE(tally.goodput(), 0.95) << tally;
}

TEST_P(Overload, DoorThatASlowMachineShut_OpensAgain) {
  Scenario scenario = At(1.5);
  scenario.length = absl::Seconds(120);
  scenario.changes_at = absl::Seconds(30);
  scenario.changes_back_at = absl::Seconds(60);
  scenario.counts_from = absl::Seconds(80);
  scenario.changed_speed = 0.03;  // 3.3 s a request: no deadline of 2 s can be kept
  const Tally tally = OverloadSimulator(scenario).Run();
  EXPECT_GE(tally.goodput(), 0.95) << tally;
}

TEST_P(Overload, DeadlinesBelowTheServiceTime_CostNothing) {
  for (const int ms : {1, 10, 50, 75}) {
    Scenario scenario = At(1.5);
    scenario.traffic[0].deadline = absl::Milliseconds(ms);
    const Tally tally = OverloadSimulator(scenario).Run();
    EXPECT_GT(tally.refused, 1000) << tally;
    EXPECT_EQ(tally.good + tally.wasted, 0) << ms << " ms: " << tally;
  }
}

TEST_P(Overload, DifferentDeadlines_AreKept) {
  Scenario scenario = At(1.5);
  scenario.traffic = {{.share = 0.5, .deadline = absl::Milliseconds(500)},
                      {.share = 0.5, .deadline = absl::Seconds(4)}};
  const Tally tally = OverloadSimulator(scenario).Run();
  EXPECT_GE(tally.goodput(), 0.95) << tally;
  EXPECT_LT(tally.wasted_share(), 0.02) << tally;
  EXPECT_LT(tally.late_share(), 0.01) << tally;
}

TEST_P(Overload, SmallAndLargeImages_ShareTheMachine) {
  Scenario scenario = At(1.5);
  scenario.traffic = {{.share = 0.8, .service = absl::Milliseconds(50)},
                      {.share = 0.2, .service = absl::Milliseconds(400)}};
  const Tally tally = OverloadSimulator(scenario).Run();
  EXPECT_GE(tally.goodput(), 0.95) << tally;
  EXPECT_LT(tally.wasted_share(), 0.02) << tally;
}

TEST_P(Overload, BelowCapacity_RefusesNobody) {
  const Tally tally = OverloadSimulator(At(0.8)).Run();
  EXPECT_EQ(tally.refused + tally.late + tally.wasted, 0) << tally;
  EXPECT_GT(tally.good, 4000) << tally;
}

INSTANTIATE_TEST_SUITE_P(MaxBatch, Overload, ::testing::Values(1, 8));

}  // namespace
}  // namespace objectdino
