// SPDX-License-Identifier: Apache-2.0
#include "server/ground_request.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "server/model_info.h"
#include "server/request_error.h"
#include "tests/support/fake_engine.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

std::string ReadFile(const std::string& name) {
  return testing::ReadRepositoryFile("tests/data/" + name);
}

v1::GroundRequest RawRequest(uint32_t height = 2, uint32_t width = 3) {
  v1::GroundRequest request;
  v1::RawImage* raw = request.mutable_image()->mutable_raw();
  raw->set_height(height);
  raw->set_width(width);
  raw->set_rgb(std::string(size_t{height} * width * 3, '\x7f'));
  return request;
}

absl::StatusOr<ParsedRequest> Parse(const v1::GroundRequest& request, const Limits& limits = {}) {
  return ParseGroundRequest(request, testing::FakeModelFacts().config, limits);
}

TEST(GroundRequest, NoOptions_AreTheDefaultsOfTheCore) {
  const auto parsed = Parse(RawRequest());
  ASSERT_THAT(parsed, IsOk());
  const GroundOptions defaults;
  EXPECT_EQ(parsed->options.method, defaults.method);
  EXPECT_EQ(parsed->options.clusters, defaults.clusters);
  EXPECT_EQ(parsed->options.seed, defaults.seed);
  EXPECT_EQ(parsed->options.input_size, defaults.input_size);
  EXPECT_EQ(parsed->options.tau, defaults.tau);
  EXPECT_EQ(parsed->options.min_patches, defaults.min_patches);
  EXPECT_TRUE(parsed->reply.objects);
  EXPECT_TRUE(parsed->reply.objectness);
  EXPECT_EQ(parsed->reply.embedding_dtype, v1::DATA_TYPE_F16);
  EXPECT_TRUE(parsed->decode.apply_orientation);
}

TEST(GroundRequest, EveryOption_ArrivesInTheCore) {
  v1::GroundRequest request = RawRequest();
  v1::GroundOptions* wire = request.mutable_options();
  wire->add_outputs(v1::OUTPUT_PIXEL_MASKS);
  wire->add_outputs(v1::OUTPUT_PATCH_EMBEDDINGS);
  wire->add_outputs(v1::OUTPUT_HEADS);
  wire->set_max_objects(3);
  wire->set_min_score(0.25);
  wire->set_min_patches(7);
  wire->set_method(v1::METHOD_OBJECT_DINO_CUT);
  wire->set_head_selection(v1::HEAD_SELECTION_PRESET);
  wire->set_clusters(9);
  wire->set_seed(4'000'000'000);
  wire->set_input_size(225);
  wire->set_resize_mode(v1::RESIZE_MODE_ASPECT);
  wire->set_embedding_dtype(v1::DATA_TYPE_BF16);
  wire->set_object_patches_only(true);
  wire->set_affinity_threshold(-0.5);
  wire->set_allow_truncated(true);
  wire->set_mask_refinement(v1::MASK_REFINEMENT_NONE);
  wire->set_mask_format(v1::MASK_FORMAT_PNG);
  request.mutable_image()->set_orientation(v1::ORIENTATION_IGNORE);
  const auto parsed = Parse(request);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_TRUE(parsed->reply.objects);  // implied by the pixel masks
  EXPECT_FALSE(parsed->reply.objectness);
  EXPECT_TRUE(parsed->options.pixel_masks);
  EXPECT_EQ(parsed->options.mask_refinement, MaskRefinement::kNone);
  EXPECT_EQ(parsed->options.mask_format, MaskFormat::kPng);
  EXPECT_TRUE(parsed->reply.heads);
  EXPECT_TRUE(parsed->options.patch_embeddings);
  EXPECT_EQ(parsed->options.max_objects, 3);
  EXPECT_EQ(parsed->options.min_score, 0.25);
  EXPECT_EQ(parsed->options.min_patches, 7);
  EXPECT_EQ(parsed->options.method, Method::kObjectDinoCut);
  EXPECT_EQ(parsed->options.head_selection, HeadSelection::kPreset);
  EXPECT_EQ(parsed->options.clusters, 9);
  EXPECT_EQ(parsed->options.seed, 4'000'000'000);
  EXPECT_EQ(parsed->options.input_size, 224);  // rounded down to patches of 14
  EXPECT_EQ(parsed->options.resize_mode, ResizeMode::kAspect);
  EXPECT_EQ(parsed->reply.embedding_dtype, v1::DATA_TYPE_BF16);
  EXPECT_TRUE(parsed->reply.object_patches_only);
  EXPECT_EQ(parsed->options.tau, -0.5);
  EXPECT_TRUE(parsed->decode.allow_truncated);
  EXPECT_FALSE(parsed->decode.apply_orientation);
}

TEST(GroundRequest, MinPatchesZero_MeansNoMinimum) {
  v1::GroundRequest request = RawRequest();
  request.mutable_options()->set_min_patches(0);
  EXPECT_EQ(Parse(request)->options.min_patches, 1);
}

TEST(GroundRequest, LowMaxInputSize_LowersTheDefault) {
  Limits limits;
  limits.max_input_size = 100;
  EXPECT_EQ(Parse(RawRequest(), limits)->options.input_size, 98);
}

TEST(GroundRequest, DefaultsOfGetModelInfo_AreAccepted) {
  v1::GroundRequest request = RawRequest();
  *request.mutable_options() = DescribeModel(testing::FakeModelFacts(), {}).defaults();
  const auto parsed = Parse(request);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->options.input_size, GroundOptions().input_size);
}

struct Refusal {
  std::string name;
  std::function<void(v1::GroundRequest*)> change;
  std::string field;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

class GroundRequestRefused : public ::testing::TestWithParam<Refusal> {};

TEST_P(GroundRequestRefused, NamesTheField) {
  v1::GroundRequest request = RawRequest();
  GetParam().change(&request);
  const auto parsed = Parse(request);
  EXPECT_THAT(parsed, StatusIs(GetParam().code, HasSubstr(GetParam().field)));
  EXPECT_EQ(FieldOf(parsed.status()), GetParam().field) << parsed.status();
}

Refusal Option(const std::string& name, std::function<void(v1::GroundOptions*)> change,
               const std::string& field,
               absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  return {name, [change](v1::GroundRequest* r) { change(r->mutable_options()); },
          "options." + field, code};
}

constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

INSTANTIATE_TEST_SUITE_P(
    Cases, GroundRequestRefused,
    ::testing::Values(
        Option(
            "ClustersLow", [](auto* o) { o->set_clusters(1); }, "clusters"),
        Option(
            "ClustersHigh", [](auto* o) { o->set_clusters(65); }, "clusters"),
        Option(
            "ClustersHuge", [](auto* o) { o->set_clusters(4'000'000'000); }, "clusters"),
        Option(
            "MaxObjectsZero", [](auto* o) { o->set_max_objects(0); }, "max_objects"),
        Option(
            "MaxObjectsHigh", [](auto* o) { o->set_max_objects(101); }, "max_objects"),
        Option(
            "MinScoreNan", [](auto* o) { o->set_min_score(std::nanf("")); }, "min_score"),
        Option(
            "MinScoreHigh", [](auto* o) { o->set_min_score(1.5); }, "min_score"),
        Option(
            "MinPatchesHuge", [](auto* o) { o->set_min_patches(1U << 31); }, "min_patches"),
        Option(
            "InputSizeLow", [](auto* o) { o->set_input_size(13); }, "input_size"),
        Option(
            "InputSizeHigh", [](auto* o) { o->set_input_size(1025); }, "input_size"),
        Option(
            "InputSizeHuge", [](auto* o) { o->set_input_size(~0U); }, "input_size"),
        Option(
            "ThresholdHigh",
            [](auto* o) {
              o->set_method(v1::METHOD_OBJECT_DINO_CUT);
              o->set_affinity_threshold(1.5);
            },
            "affinity_threshold"),
        Option(
            "ThresholdNan",
            [](auto* o) {
              o->set_method(v1::METHOD_OBJECT_DINO_CUT);
              o->set_affinity_threshold(std::nanf(""));
            },
            "affinity_threshold"),
        Option(
            "ThresholdMark", [](auto* o) { o->set_affinity_threshold(-2); }, "affinity_threshold"),
        Option(
            "ThresholdWithoutCut", [](auto* o) { o->set_affinity_threshold(0.5); },
            "affinity_threshold"),
        Option(
            "ObjectPatchesWithoutPatches", [](auto* o) { o->set_object_patches_only(true); },
            "object_patches_only"),
        Option(
            "MethodUnknown", [](auto* o) { o->set_method(static_cast<v1::Method>(77)); }, "method"),
        Option(
            "HeadSelectionUnknown",
            [](auto* o) { o->set_head_selection(static_cast<v1::HeadSelection>(77)); },
            "head_selection"),
        Option(
            "ResizeModeUnknown",
            [](auto* o) { o->set_resize_mode(static_cast<v1::ResizeMode>(77)); }, "resize_mode"),
        Option(
            "MaskRefinementUnknown",
            [](auto* o) {
              o->add_outputs(v1::OUTPUT_PIXEL_MASKS);
              o->set_mask_refinement(static_cast<v1::MaskRefinement>(77));
            },
            "mask_refinement"),
        Option(
            "MaskRefinementWithoutPixelMasks",
            [](auto* o) { o->set_mask_refinement(v1::MASK_REFINEMENT_NONE); }, "mask_refinement"),
        Option(
            "MaskFormatUnknown",
            [](auto* o) {
              o->add_outputs(v1::OUTPUT_PIXEL_MASKS);
              o->set_mask_format(static_cast<v1::MaskFormat>(77));
            },
            "mask_format"),
        Option(
            "MaskFormatWithoutPixelMasks", [](auto* o) { o->set_mask_format(v1::MASK_FORMAT_PNG); },
            "mask_format"),
        Option(
            "DtypeUnknown", [](auto* o) { o->set_embedding_dtype(static_cast<v1::DataType>(77)); },
            "embedding_dtype"),
        Option(
            "DtypeU8", [](auto* o) { o->set_embedding_dtype(v1::DATA_TYPE_U8); },
            "embedding_dtype"),
        Option(
            "OutputUnspecified", [](auto* o) { o->add_outputs(v1::OUTPUT_UNSPECIFIED); },
            "outputs[0]"),
        Option(
            "OutputUnknown",
            [](auto* o) {
              o->add_outputs(v1::OUTPUT_OBJECTS);
              o->add_outputs(static_cast<v1::Output>(77));
            },
            "outputs[1]"),
        Option(
            "Overlay", [](auto* o) { o->add_outputs(v1::OUTPUT_OVERLAY); }, "outputs[0]",
            kUnimplemented),
        Option(
            "Highlight", [](auto* o) { o->mutable_highlight(); }, "highlight", kUnimplemented),
        Option(
            "TokenCut", [](auto* o) { o->set_method(v1::METHOD_TOKENCUT); }, "method",
            kUnimplemented),
        Option(
            "Lost", [](auto* o) { o->set_method(v1::METHOD_LOST); }, "method", kUnimplemented),
        Option(
            "ClsAttention", [](auto* o) { o->set_method(v1::METHOD_CLS_ATTENTION); }, "method",
            kUnimplemented),
        Refusal{"RequestIdLong", [](auto* r) { r->set_request_id(std::string(129, 'x')); },
                "request_id"},
        Refusal{
            "OrientationUnknown",
            [](auto* r) { r->mutable_image()->set_orientation(static_cast<v1::Orientation>(77)); },
            "image.orientation"},
        Refusal{"NoImage", [](auto* r) { r->clear_image(); }, "image.source"},
        Refusal{"RawEmpty", [](auto* r) { r->mutable_image()->mutable_raw()->set_height(0); },
                "image.raw"},
        Refusal{"RawShort",
                [](auto* r) { r->mutable_image()->mutable_raw()->mutable_rgb()->pop_back(); },
                "image.raw.rgb"}),
    [](const auto& test) { return test.param.name; });

TEST(GroundRequest, BadEncodedImage_NamesTheField) {
  for (const std::string& bytes : {std::string(), ReadFile("text.jpg"), ReadFile("animated.gif"),
                                   ReadFile("animated.webp"), ReadFile("truncated.jpg")}) {
    v1::GroundRequest request;
    request.mutable_image()->set_encoded(bytes);
    const auto parsed = Parse(request);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << parsed.status();
    EXPECT_EQ(FieldOf(parsed.status()), "image.encoded");
  }
}

TEST(GroundRequest, RawImageOverALimit_IsTooLarge) {
  Limits limits;
  limits.max_dimension = 10;
  limits.max_pixels = 50;
  EXPECT_THAT(Parse(RawRequest(5, 10), limits), IsOk());
  for (const auto& [height, width] : {std::pair{6U, 10U}, std::pair{1U, 11U}}) {
    const auto parsed = Parse(RawRequest(height, width), limits);
    EXPECT_EQ(ReasonOf(parsed.status()), "IMAGE_TOO_LARGE") << parsed.status();
    EXPECT_EQ(FieldOf(parsed.status()), "image.raw");
  }
}

TEST(GroundRequest, RawSizesThatOverflow_AreTooLarge) {
  v1::GroundRequest request;
  request.mutable_image()->mutable_raw()->set_height(~0U);
  request.mutable_image()->mutable_raw()->set_width(~0U);
  EXPECT_EQ(ReasonOf(Parse(request).status()), "IMAGE_TOO_LARGE");
}

TEST(ReadRequestImage, Raw_IsCopied) {
  const auto image = ReadRequestImage(RawRequest().image(), {});
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->image.size(), (ImageSize{2, 3}));
  EXPECT_EQ(image->image.rgb, std::vector<uint8_t>(18, 0x7f));
  EXPECT_EQ(image->format, "raw");
}

TEST(GroundRequest, EncodedImageOverALimit_IsTooLargeByItsHeader) {
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(ReadFile("bomb_20000x20000_1bit.png"));
  const auto parsed = Parse(request);
  EXPECT_EQ(ReasonOf(parsed.status()), "IMAGE_TOO_LARGE") << parsed.status();
  EXPECT_EQ(FieldOf(parsed.status()), "image.encoded");
}

TEST(ReadRequestImage, Truncated_IsRefusedOrMarked) {
  v1::Image image;
  image.set_encoded(ReadFile("truncated.jpg"));
  const auto refused = ReadRequestImage(image, {});
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
  const auto read = ReadRequestImage(image, {.allow_truncated = true});
  ASSERT_THAT(read, IsOk());
  EXPECT_TRUE(read->truncated);
  EXPECT_EQ(read->format, "jpeg");
}

TEST(ReadRequestImage, Orientation_IsReported) {
  v1::Image image;
  image.set_encoded(testing::ReadRepositoryFile("tests/golden/exif/orientation_6.jpg"));
  const auto upright = ReadRequestImage(image, {});
  ASSERT_THAT(upright, IsOk());
  EXPECT_EQ(upright->applied_orientation, 6);
  const auto stored = ReadRequestImage(image, {.apply_orientation = false});
  ASSERT_THAT(stored, IsOk());
  EXPECT_EQ(stored->applied_orientation, 1);
}

}  // namespace
}  // namespace objectdino
