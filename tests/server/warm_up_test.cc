// SPDX-License-Identifier: Apache-2.0
#include "server/warm_up.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_engine.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

TEST(WarmUp, Engine_IsCalledOncePerLane) {
  testing::FakeEngine engine;
  EXPECT_THAT(WarmUp(engine, GroundOptions(), 3), testing::IsOk());
  EXPECT_EQ(engine.calls(), 3);
}

TEST(WarmUp, EngineFault_IsReturned) {
  testing::FakeEngine engine;
  engine.FailWith(absl::InternalError("no kernel"));
  EXPECT_THAT(WarmUp(engine, GroundOptions(), 2),
              testing::StatusIs(absl::StatusCode::kInternal, "no kernel"));
}

// Keeps what it is shown.
class SeeingEngine final : public GroundingEngine {
 public:
  absl::StatusOr<PreparedImage> Prepare(Image image, const GroundOptions&) const override {
    seen_ = std::move(image);
    return PreparedImage();
  }
  std::vector<absl::StatusOr<InferredImage>> Infer(
      absl::Span<const PreparedImage* const> batch,
      absl::FunctionRef<bool()> /*stop*/) const override {
    return std::vector<absl::StatusOr<InferredImage>>(batch.size(), InferredImage());
  }
  absl::StatusOr<Grounding> Finish(PreparedImage, InferredImage,
                                   absl::FunctionRef<bool()>) const override {
    return Grounding();
  }
  const ModelFacts& facts() const override { return facts_; }
  const Image& seen() const { return seen_; }

 private:
  const ModelFacts facts_ = testing::FakeModelFacts();
  mutable Image seen_;
};

TEST(WarmUp, Image_HasTheInputsSizeAndIsNotFlat) {
  SeeingEngine engine;
  GroundOptions options;
  options.input_size = 56;
  EXPECT_THAT(WarmUp(engine, options, 1), testing::IsOk());
  const Image& image = engine.seen();
  EXPECT_EQ(image.height, 56);
  EXPECT_EQ(image.width, 56);
  ASSERT_EQ(image.rgb.size(), 56U * 56 * 3);
  const auto [low, high] = std::minmax_element(image.rgb.begin(), image.rgb.end());
  EXPECT_GT(*high - *low, 100);
}

}  // namespace
}  // namespace objectdino
