// SPDX-License-Identifier: Apache-2.0
#include "server/region_request.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/math/rle.h"
#include "server/request_error.h"
#include "server/tensor_codec.h"
#include "tests/support/fake_engine.h"
#include "tests/support/files.h"
#include "tests/support/requests.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

constexpr ImageSize kImage = {20, 30};
constexpr float kInfinity = std::numeric_limits<float>::infinity();

v1::Region BoxRegion(float x1, float y1, float x2, float y2) {
  v1::Region region;
  region.mutable_box()->set_x1(x1);
  region.mutable_box()->set_y1(y1);
  region.mutable_box()->set_x2(x2);
  region.mutable_box()->set_y2(y2);
  return region;
}

v1::Region PointRegion(float x, float y) {
  v1::Region region;
  region.mutable_point()->set_x(x);
  region.mutable_point()->set_y(y);
  return region;
}

v1::Region MaskRegion(const std::string& rle, uint32_t height = 20, uint32_t width = 30) {
  v1::Region region;
  region.mutable_mask()->set_height(height);
  region.mutable_mask()->set_width(width);
  region.mutable_mask()->set_coco_rle(rle);
  return region;
}

v1::Region QueryRegion(const std::vector<float>& values, const std::string& space = "",
                       v1::DataType dtype = v1::DATA_TYPE_F32) {
  v1::Region region;
  *region.mutable_query()->mutable_values() =
      EncodeTensor(values, {static_cast<int>(values.size())}, dtype);
  region.mutable_query()->set_space(space);
  return region;
}

std::string FullMask() { return EncodeCocoRle(std::vector<uint8_t>(600, 1), 20, 30); }

ParsedRequest ParsedAs(EmbeddingSource source = EmbeddingSource::kFinalLayer) {
  ParsedRequest request;
  request.upright_size = kImage;
  request.options.embedding_source = source;
  return request;
}

// As the pipeline does before the forward pass.
absl::Status CheckAndRead(const v1::Region& region, const ParsedRequest& request = ParsedAs()) {
  Regions regions;
  *regions.Add() = region;
  const absl::Status status = CheckRegions(regions, request, testing::FakeModelFacts(), Limits());
  if (!status.ok()) return status;
  return ReadRegions(regions, {2, 3, 14}, kImage).status();
}

TEST(RegionRequest, EveryKind_ArrivesInTheCore) {
  Regions regions;
  *regions.Add() = BoxRegion(-5, 2, 10, 1000);
  *regions.Add() = PointRegion(30, 20);
  *regions.Add() = MaskRegion(FullMask());
  *regions.Add() = QueryRegion({1, -2, 0.5, 0}, "", v1::DATA_TYPE_BF16);
  ASSERT_THAT(CheckRegions(regions, ParsedAs(), testing::FakeModelFacts(), Limits()), IsOk());
  const auto claims = ReadRegions(regions, {2, 3, 14}, kImage);
  ASSERT_THAT(claims, IsOk());
  ASSERT_EQ(claims->size(), 4U);
  EXPECT_EQ(std::get<Box>((*claims)[0]), (Box{-5, 2, 10, 1000}));
  EXPECT_EQ(std::get<Point>((*claims)[1]).x, 30);
  EXPECT_EQ(std::get<MaskShares>((*claims)[2]).inside, std::vector<float>(6, 1.0F));
  EXPECT_EQ(std::get<PatchQuery>((*claims)[3]), (PatchQuery{1, -2, 0.5, 0}));
}

TEST(RegionRequest, Count_IsLimited) {
  Limits limits;
  limits.max_regions = 2;
  Regions regions;
  for (int count = 0; count <= 3; ++count) {
    const absl::Status status =
        CheckRegions(regions, ParsedAs(), testing::FakeModelFacts(), limits);
    if (count == 1 || count == 2) {
      EXPECT_THAT(status, IsOk());
    } else {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                                   absl::StrCat("regions must be 1 to 2, got ", count)));
      EXPECT_EQ(FieldOf(status), "regions");
    }
    *regions.Add() = PointRegion(1, 1);
  }
}

TEST(RegionRequest, Fault_NamesItsRegion) {
  Regions regions;
  *regions.Add() = PointRegion(1, 1);
  *regions.Add() = BoxRegion(0, 0, 5, 5);
  *regions.Add() = BoxRegion(5, 0, 5, 5);
  const absl::Status status =
      CheckRegions(regions, ParsedAs(), testing::FakeModelFacts(), Limits());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               "regions[2].box must have x1 < x2 and y1 < y2, got (5, 0, 5, 5)"));
  EXPECT_EQ(FieldOf(status), "regions[2].box");
}

struct Refusal {
  std::string name;
  v1::Region region;
  std::string field;    // of regions[0]
  std::string message;  // a part of it
};

class RegionRefused : public ::testing::TestWithParam<Refusal> {};

TEST_P(RegionRefused, IsInvalidWithTheField) {
  const absl::Status status = CheckAndRead(GetParam().region);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
  EXPECT_EQ(FieldOf(status), "regions[0]." + GetParam().field) << status;
}

v1::Region Changed(v1::Region region, const std::function<void(v1::Region&)>& change) {
  change(region);
  return region;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, RegionRefused,
    ::testing::Values(
        Refusal{"NoKind", v1::Region(), "kind", "box, point, mask or query"},
        Refusal{"BoxNan", BoxRegion(std::nanf(""), 0, 1, 1), "box", "finite"},
        Refusal{"BoxInfinite", BoxRegion(0, 0, kInfinity, 1), "box", "finite"},
        Refusal{"BoxWithoutWidth", BoxRegion(3, 0, 3, 5), "box", "x1 < x2"},
        Refusal{"BoxTurned", BoxRegion(3, 6, 8, 5), "box", "y1 < y2"},
        Refusal{"BoxLeftOfTheImage", BoxRegion(-10, 0, 0, 5), "box", "20 x 30 (height x width)"},
        Refusal{"BoxAboveTheImage", BoxRegion(0, -10, 5, 0), "box", "in the image"},
        Refusal{"BoxRightOfTheImage", BoxRegion(30, 0, 31, 5), "box", "in the image"},
        Refusal{"BoxBelowTheImage", BoxRegion(0, 20, 5, 25), "box", "in the image"},
        Refusal{"PointNan", PointRegion(1, std::nanf("")), "point", "in the image"},
        Refusal{"PointLeft", PointRegion(-0.1F, 1), "point", "in the image"},
        Refusal{"PointBelow", PointRegion(1, 20.1F), "point", "in the image"},
        Refusal{"MaskOfAnotherSize", MaskRegion(FullMask(), 30, 20), "mask",
                "the size of the image, 20 x 30 (height x width), got 30 x 20"},
        Refusal{"MaskHuge", MaskRegion("0", ~0U, ~0U), "mask", "the size of the image"},
        Refusal{"MaskWithoutData",
                Changed(MaskRegion(""), [](auto& r) { r.mutable_mask()->clear_data(); }), "mask",
                "must hold coco_rle"},
        Refusal{"MaskPng",
                Changed(MaskRegion(""), [](auto& r) { r.mutable_mask()->set_png("png"); }), "mask",
                "must hold coco_rle"},
        Refusal{"MaskDamaged", MaskRegion("abc"), "mask.coco_rle", "RLE"},
        Refusal{"MaskEmpty", MaskRegion(EncodeCocoRle(std::vector<uint8_t>(600, 0), 20, 30)),
                "mask.coco_rle", "the mask is empty"},
        Refusal{"QueryWithoutValues", Changed(v1::Region(), [](auto& r) { r.mutable_query(); }),
                "query.values", "dtype"},
        Refusal{"QueryTooWide", QueryRegion({1, 2, 3, 4, 5}), "query.values",
                "the shape [4] of this model's embeddings, got [5]"},
        Refusal{"QueryOfTwoDimensions",
                Changed(QueryRegion({1, 2, 3, 4}),
                        [](auto& r) { r.mutable_query()->mutable_values()->add_shape(1); }),
                "query.values", "got 2 dimensions"},
        Refusal{"QueryCutShort",
                Changed(QueryRegion({1, 2, 3, 4}),
                        [](auto& r) {
                          r.mutable_query()->mutable_values()->mutable_data()->pop_back();
                        }),
                "query.values", "does not fit its shape"},
        Refusal{"QueryOfBytes",
                Changed(QueryRegion({1, 2, 3, 4}),
                        [](auto& r) {
                          r.mutable_query()->mutable_values()->set_dtype(v1::DATA_TYPE_U8);
                        }),
                "query.values", "F32, F16 or BF16"},
        Refusal{"QueryNan", QueryRegion({1, 2, std::nanf(""), 4}), "query.values", "finite"},
        Refusal{"QueryInfinite", QueryRegion({1, 2, 1e30F, 4}, "", v1::DATA_TYPE_F16),
                "query.values", "finite"},
        Refusal{"QueryZero", QueryRegion({0, 0, 0, 0}), "query.values", "zero"},
        Refusal{"QueryOfAnotherModel",
                QueryRegion({1, 2, 3, 4}, "other@aaaaaaaaaaaa/final-norm/patch"), "query.space",
                "must be empty or begin with fake@aaaaaaaaaaaa/final-norm/"},
        Refusal{"QueryOfAnotherLayer",
                QueryRegion({1, 2, 3, 4}, "fake@aaaaaaaaaaaa/values[10:1]/patch"), "query.space",
                "final-norm"}),
    [](const auto& test) { return test.param.name; });

TEST(RegionRequest, SpaceOfAnyPooling_IsTaken) {
  for (const char* space :
       {"", "fake@aaaaaaaaaaaa/final-norm/patch", "fake@aaaaaaaaaaaa/final-norm/patch-mean",
        "fake@aaaaaaaaaaaa/final-norm/prototype"}) {
    EXPECT_THAT(CheckAndRead(QueryRegion({1, 2, 3, 4}, space)), IsOk()) << space;
  }
}

TEST(RegionRequest, QueryOfHeads_IsCheckedWhenTheHeadsAreKnown) {
  const ParsedRequest request = ParsedAs(EmbeddingSource::kObjectHeads);
  EXPECT_THAT(CheckAndRead(QueryRegion(std::vector<float>(5, 1.0F), "any"), request), IsOk());
  EXPECT_THAT(CheckAndRead(QueryRegion(std::vector<float>(49, 1.0F)), request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 48")));

  Grounding grounding = testing::FakeGrounding(kImage, true);
  grounding.embedding_source = EmbeddingSource::kObjectHeads;
  const auto check = [&](const v1::Region& region) {
    Regions regions;
    *regions.Add() = PointRegion(1, 1);
    *regions.Add() = region;
    return CheckSpaces(regions, grounding, testing::FakeModelFacts());
  };
  const std::string space = "fake@aaaaaaaaaaaa/values[10:2;11:0]/patch-mean";
  EXPECT_THAT(check(QueryRegion({1, 2, 3, 4}, space)), IsOk());
  EXPECT_THAT(check(QueryRegion({1, 2, 3, 4})), IsOk());
  EXPECT_EQ(FieldOf(check(QueryRegion({1, 2, 3}, space))), "regions[1].query.values");
  EXPECT_EQ(FieldOf(check(QueryRegion({1, 2, 3, 4}, "fake@aaaaaaaaaaaa/values[10:2]/patch"))),
            "regions[1].query.space");
}

TEST(BytesOfRegions, CoverWhatIsRead) {
  Regions regions;
  const int64_t none = BytesOfRegions(regions, 100);
  *regions.Add() = BoxRegion(0, 0, 5, 5);
  const int64_t box = BytesOfRegions(regions, 100);
  *regions.Add() = MaskRegion(FullMask());
  const int64_t mask = BytesOfRegions(regions, 100);
  *regions.Add() = QueryRegion({1, 2, 3, 4}, "", v1::DATA_TYPE_F16);
  const int64_t query = BytesOfRegions(regions, 100);
  EXPECT_EQ(none, 0);
  EXPECT_LT(box, 100);
  EXPECT_GE(mask - box, 100 * 4);
  EXPECT_GE(query - mask, 4 * 4);
}

TEST(RegionRequest, TurnedPhotograph_IsMeasuredUpright) {
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(
      testing::ReadRepositoryFile("tests/golden/exif/orientation_6.jpg"));
  const auto upright =
      ParseGroundRequest(QuestionOf(request), testing::FakeModelFacts().config, {});
  request.mutable_image()->set_orientation(v1::ORIENTATION_IGNORE);
  const auto stored = ParseGroundRequest(QuestionOf(request), testing::FakeModelFacts().config, {});
  ASSERT_THAT(upright, IsOk());
  ASSERT_THAT(stored, IsOk());
  ASSERT_NE(stored->upright_size.height, stored->upright_size.width);
  EXPECT_EQ(upright->upright_size.height, stored->upright_size.width);
  EXPECT_EQ(upright->upright_size.width, stored->upright_size.height);
  const auto image = ReadRequestImage(request.image(), {});
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(upright->upright_size, image->image.size());
}

}  // namespace
}  // namespace objectdino
