// SPDX-License-Identifier: Apache-2.0
#include "server/ground_request.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "server/codec.h"
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
using ::testing::UnorderedElementsAre;

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
  return ParseGroundRequest(QuestionOf(request), testing::FakeModelFacts().config, limits);
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
  EXPECT_FALSE(parsed->options.chosen.input_size);
  EXPECT_FALSE(parsed->options.chosen.head_selection);
  EXPECT_EQ(parsed->options.min_patches, defaults.min_patches);
  EXPECT_EQ(parsed->options.embedding_source, EmbeddingSource::kFinalLayer);
  EXPECT_FALSE(parsed->options.proposals);
  EXPECT_TRUE(parsed->reply.objects);
  EXPECT_TRUE(parsed->reply.objectness);
  EXPECT_EQ(parsed->reply.embedding_dtype, v1::DATA_TYPE_F16);
  EXPECT_FALSE(parsed->options.head_maps);
  EXPECT_TRUE(parsed->decode.apply_orientation);
}

TEST(GroundRequest, Mirror_ArrivesInTheCore) {
  v1::GroundRequest request = RawRequest();
  request.mutable_options()->set_mirror(true);
  EXPECT_TRUE(Parse(request)->options.mirror);
  EXPECT_FALSE(Parse(RawRequest())->options.mirror);
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
  wire->set_head_selection(v1::HEAD_SELECTION_CLUSTERED);
  wire->set_clusters(9);
  wire->set_seed(4'000'000'000);
  wire->set_input_size(225);
  wire->set_resize_mode(v1::RESIZE_MODE_ASPECT);
  wire->set_embedding_dtype(v1::DATA_TYPE_BF16);
  wire->set_object_patches_only(true);
  wire->set_affinity_threshold(-0.5);
  wire->set_allow_truncated(true);
  wire->add_components(v1::ATTENTION_COMPONENT_VALUE);
  wire->add_components(v1::ATTENTION_COMPONENT_QUERY);
  wire->set_layer_scope(v1::LAYER_SCOPE_LAST_LAYER);
  wire->set_temperature(0.125);
  wire->set_mask_refinement(v1::MASK_REFINEMENT_NONE);
  wire->set_mask_format(v1::MASK_FORMAT_PNG);
  wire->set_embedding_source(v1::EMBEDDING_SOURCE_OBJECT_HEADS);
  wire->set_proposals(true);
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
  EXPECT_TRUE(parsed->options.head_maps);
  EXPECT_EQ(parsed->options.max_objects, 3);
  EXPECT_EQ(parsed->options.min_score, 0.25);
  EXPECT_EQ(parsed->options.min_patches, 7);
  EXPECT_EQ(parsed->options.method, Method::kObjectDinoCut);
  EXPECT_EQ(parsed->options.head_selection, HeadSelection::kClustered);
  EXPECT_EQ(parsed->options.clusters, 9);
  EXPECT_EQ(parsed->options.seed, 4'000'000'000);
  EXPECT_EQ(parsed->options.input_size, 224);  // rounded down to patches of 14
  EXPECT_TRUE(parsed->options.chosen.input_size);
  EXPECT_TRUE(parsed->options.chosen.head_selection);
  EXPECT_EQ(parsed->options.resize_mode, ResizeMode::kAspect);
  EXPECT_EQ(parsed->reply.embedding_dtype, v1::DATA_TYPE_BF16);
  EXPECT_TRUE(parsed->reply.object_patches_only);
  EXPECT_EQ(parsed->options.tau, -0.5);
  EXPECT_EQ(parsed->options.components, (AttentionComponents{.key = false}));
  EXPECT_EQ(parsed->options.layer_scope, LayerScope::kLastLayer);
  EXPECT_EQ(parsed->options.temperature, 0.125);
  EXPECT_EQ(parsed->options.embedding_source, EmbeddingSource::kObjectHeads);
  EXPECT_TRUE(parsed->options.proposals);
  EXPECT_TRUE(parsed->decode.allow_truncated);
  EXPECT_FALSE(parsed->decode.apply_orientation);
}

TEST(GroundRequest, ClustersAndHeadSelection_BothChooseTheHeads) {
  v1::GroundRequest request = RawRequest();
  request.mutable_options()->set_clusters(5);  // the default's value, and set all the same
  EXPECT_TRUE(Parse(request)->options.chosen.head_selection);
  EXPECT_FALSE(Parse(request)->options.chosen.input_size);
  request.mutable_options()->Clear();
  request.mutable_options()->set_head_selection(v1::HEAD_SELECTION_CLUSTERED);
  EXPECT_TRUE(Parse(request)->options.chosen.head_selection);
}

TEST(GroundRequest, PresetHeads_ArriveInTheCore) {
  v1::GroundRequest request = RawRequest();
  request.mutable_options()->set_head_selection(v1::HEAD_SELECTION_PRESET);
  EXPECT_EQ(Parse(request)->options.head_selection, HeadSelection::kPreset);
}

TEST(GroundRequest, EveryOfferedMethod_ArrivesInTheCoreAndBack) {
  const v1::GetModelInfoResponse info = DescribeModel(testing::FakeModelFacts(), {});
  ASSERT_EQ(info.methods_size(), v1::Method_ARRAYSIZE - 1) << "all but UNSPECIFIED";
  for (const int method : info.methods()) {
    v1::GroundRequest request = RawRequest();
    request.mutable_options()->set_method(static_cast<v1::Method>(method));
    const auto parsed = Parse(request);
    ASSERT_THAT(parsed, IsOk());
    EXPECT_EQ(EncodeMethod(parsed->options.method), method);
  }
}

TEST(GroundRequest, ThresholdOfTokenCut_ArrivesInTheCore) {
  v1::GroundRequest request = RawRequest();
  request.mutable_options()->set_method(v1::METHOD_TOKENCUT);
  request.mutable_options()->set_affinity_threshold(0.5);
  EXPECT_EQ(Parse(request)->options.tau, 0.5);
}

// The default may be named, whatever the method; only the heads need one that selects some.
TEST(GroundRequest, EmbeddingsOfTheFinalLayer_AreOfEveryMethod) {
  v1::GroundRequest request = RawRequest();
  request.mutable_options()->set_method(v1::METHOD_TOKENCUT);
  request.mutable_options()->set_embedding_source(v1::EMBEDDING_SOURCE_FINAL_LAYER);
  const auto parsed = Parse(request);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_EQ(parsed->options.embedding_source, EmbeddingSource::kFinalLayer);
}

TEST(GroundRequest, ProposalsFalse_MayBeSaid) {
  v1::GroundRequest request = RawRequest();
  request.mutable_options()->set_proposals(false);
  const auto parsed = Parse(request);
  ASSERT_THAT(parsed, IsOk());
  EXPECT_FALSE(parsed->options.proposals);
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
  const GroundOptions& sent = parsed->options;
  const GroundOptions defaults;
  EXPECT_EQ(sent.method, defaults.method);
  EXPECT_EQ(sent.head_selection, defaults.head_selection);
  EXPECT_EQ(sent.clusters, defaults.clusters);
  EXPECT_EQ(sent.seed, defaults.seed);
  EXPECT_EQ(sent.components, defaults.components);
  EXPECT_EQ(sent.layer_scope, defaults.layer_scope);
  EXPECT_EQ(sent.temperature, defaults.temperature);
  EXPECT_EQ(sent.input_size, defaults.input_size);
  EXPECT_EQ(sent.resize_mode, defaults.resize_mode);
  EXPECT_EQ(sent.max_objects, defaults.max_objects);
  EXPECT_EQ(sent.min_score, defaults.min_score);
  EXPECT_EQ(sent.min_patches, defaults.min_patches);
  EXPECT_EQ(sent.tau, defaults.tau);
  EXPECT_EQ(sent.proposals, defaults.proposals);
  EXPECT_EQ(sent.embedding_source, defaults.embedding_source);
  EXPECT_EQ(parsed->reply.embedding_dtype, ReplyOptions().embedding_dtype);
}

// All that a client may ask for, but for what has no default: the comment of EncodeDefaults.
TEST(GetModelInfo, DefaultsNameEveryOptionButThoseWithoutOne) {
  const v1::GroundOptions defaults = DescribeModel(testing::FakeModelFacts(), {}).defaults();
  EXPECT_EQ(defaults.embedding_source(), v1::EMBEDDING_SOURCE_FINAL_LAYER);
  EXPECT_FALSE(defaults.proposals());
  std::vector<std::string> unset;
  const auto* type = v1::GroundOptions::descriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    if (!field->has_presence() && !field->is_repeated() && field->enum_type() == nullptr) continue;
    const bool set = field->is_repeated() ? defaults.GetReflection()->FieldSize(defaults, field) > 0
                                          : defaults.GetReflection()->HasField(defaults, field);
    if (!set) unset.push_back(field->name());
  }
  EXPECT_THAT(unset, UnorderedElementsAre("affinity_threshold", "temperature", "mask_refinement",
                                          "mask_format", "min_patches", "highlight"));
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
            "MirrorOfACut",
            [](auto* o) {
              o->set_method(v1::METHOD_OBJECT_DINO_CUT);
              o->set_mirror(false);
            },
            "mirror"),
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
            "ComponentTwice",
            [](auto* o) {
              o->add_components(v1::ATTENTION_COMPONENT_KEY);
              o->add_components(v1::ATTENTION_COMPONENT_KEY);
            },
            "components[1]"),
        Option(
            "ComponentUnspecified",
            [](auto* o) { o->add_components(v1::ATTENTION_COMPONENT_UNSPECIFIED); },
            "components[0]"),
        Option(
            "ComponentUnknown",
            [](auto* o) {
              o->add_components(v1::ATTENTION_COMPONENT_KEY);
              o->add_components(static_cast<v1::AttentionComponent>(77));
            },
            "components[1]"),
        Option(
            "LayerScopeUnknown",
            [](auto* o) { o->set_layer_scope(static_cast<v1::LayerScope>(77)); }, "layer_scope"),
        Option(
            "EmbeddingSourceUnknown",
            [](auto* o) { o->set_embedding_source(static_cast<v1::EmbeddingSource>(77)); },
            "embedding_source"),
        Option(
            "EmbeddingsOfHeadsOfTokenCut",
            [](auto* o) {
              o->set_method(v1::METHOD_TOKENCUT);
              o->set_embedding_source(v1::EMBEDDING_SOURCE_OBJECT_HEADS);
            },
            "embedding_source"),
        Option(
            "TemperatureZero", [](auto* o) { o->set_temperature(0); }, "temperature"),
        Option(
            "TemperatureHigh", [](auto* o) { o->set_temperature(100.5); }, "temperature"),
        Option(
            "TemperatureNan", [](auto* o) { o->set_temperature(std::nanf("")); }, "temperature"),
        Option(
            "TemperatureLargeInput",
            [](auto* o) {
              o->set_temperature(1);
              o->set_input_size(574);
            },
            "input_size"),
        Option(
            "ClustersOfPresetHeads",
            [](auto* o) {
              o->set_head_selection(v1::HEAD_SELECTION_PRESET);
              o->set_clusters(5);  // the default, but set
            },
            "clusters"),
        Option(
            "SeedOfPresetHeads",
            [](auto* o) {
              o->set_head_selection(v1::HEAD_SELECTION_PRESET);
              o->set_seed(42);
            },
            "seed"),
        Option(
            "HeadSelectionOfTokenCut",
            [](auto* o) {
              o->set_method(v1::METHOD_TOKENCUT);
              o->set_head_selection(v1::HEAD_SELECTION_CLUSTERED);
            },
            "head_selection"),
        Option(
            "ClustersOfLost",
            [](auto* o) {
              o->set_method(v1::METHOD_LOST);
              o->set_clusters(5);
            },
            "clusters"),
        Option(
            "ThresholdOfLost",
            [](auto* o) {
              o->set_method(v1::METHOD_LOST);
              o->set_affinity_threshold(0.5);
            },
            "affinity_threshold"),
        Option(
            "ComponentsOfClsAttention",
            [](auto* o) {
              o->set_method(v1::METHOD_CLS_ATTENTION);
              for (const auto c : {v1::ATTENTION_COMPONENT_QUERY, v1::ATTENTION_COMPONENT_KEY,
                                   v1::ATTENTION_COMPONENT_VALUE}) {
                o->add_components(c);
              }
            },
            "components"),
        Option(
            "LayerScopeOfTokenCut",
            [](auto* o) {
              o->set_method(v1::METHOD_TOKENCUT);
              o->set_layer_scope(v1::LAYER_SCOPE_ALL);
            },
            "layer_scope"),
        Option(
            "TemperatureOfTokenCut",
            [](auto* o) {
              o->set_method(v1::METHOD_TOKENCUT);
              o->set_temperature(1);
            },
            "temperature"),
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
