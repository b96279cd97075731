// SPDX-License-Identifier: Apache-2.0
#include "tools/inspect/self_test.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "ATen/ATen.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"
#include "core/image/decode.h"
#include "core/image/preprocess.h"
#include "core/vit/vision_transformer.h"

namespace objectdino {
namespace {

using Five = std::array<double, 5>;
enum class Token { kCls, kFirstPatch, kLastPatch };

struct Published {
  ModelFamily family;
  int width;
  int height_px;
  int width_px;
  bool of_image;  // of the photograph, else of the ramps
  double tolerance;
  std::vector<std::pair<Token, Five>> tokens;
};

const std::vector<Published>& AllPublished() {
  constexpr auto kCls = Token::kCls;
  constexpr auto kFirst = Token::kFirstPatch;
  constexpr auto kLast = Token::kLastPatch;
  static const auto& published = *new std::vector<Published>{
      {ModelFamily::kDinov2,
       384,
       224,
       224,
       false,
       2e-3,
       {{kCls, {.1597, .6189, 2.5152, -4.0656, -.6721}},
        {kFirst, {.8239, -1.1467, .5170, -4.2315, -.6518}},
        {kLast, {1.2013, .4024, .7814, -4.5036, -.5343}}}},
      {ModelFamily::kDinov2,
       384,
       448,
       336,
       false,
       2e-3,
       {{kCls, {.5432, .4343, 2.1971, -4.4459, -.6616}},
        {kFirst, {1.1232, -.9936, .4001, -4.4347, -.6221}},
        {kLast, {1.5477, .5010, .6368, -4.6266, -.4900}}}},
      {ModelFamily::kDinov2,
       384,
       518,
       518,
       false,
       2e-3,
       {{kCls, {.7462, .3809, 1.9849, -4.5203, -.7153}},
        {kFirst, {1.2902, -.8657, .4052, -4.4396, -.7038}},
        {kLast, {1.7313, .6410, .6119, -4.5832, -.5372}}}},
      {ModelFamily::kDinov3,
       384,
       224,
       224,
       true,
       1e-3,
       {{kCls, {0.463561, -0.415609, 0.408236, -0.126613, -0.286636}},
        {kFirst, {-0.038754, -0.250895, -0.016392, -0.455473, 0.571582}}}},
      {ModelFamily::kDinov3,
       768,
       224,
       224,
       true,
       1e-3,
       {{kCls, {1.034643, -0.180609, -0.341018, -0.066376, -0.011383}},
        {kFirst, {-0.082523, -0.456272, -0.728029, -0.430680, -0.152880}}}}};
  return published;
}

bool Applies(const Published& published, const ModelConfig& config) {
  const bool dinov2 = config.family == ModelFamily::kDinov2;
  if (published.family != config.family || published.width != config.width || config.layers != 12 ||
      config.swiglu || config.patch_size != (dinov2 ? 14 : 16) ||
      config.registers != (dinov2 ? 0 : 4)) {
    return false;
  }
  // The values are transformers'; other layouts place patches differently where the grid is not the
  // table's.
  return !dinov2 || config.position == PositionRule::kLearnedSize ||
         (published.height_px == config.train_size && published.width_px == config.train_size);
}

// x, y and x * y, from -1 to 1 along the row and down the column, [1, 3, H, W].
at::Tensor Ramps(int height, int width) {
  const at::Tensor x = at::linspace(-1, 1, width).expand({height, width});
  const at::Tensor y = at::linspace(-1, 1, height).unsqueeze(1).expand({height, width});
  return at::stack({x, y, x * y}).unsqueeze(0);
}

absl::StatusOr<at::Tensor> Photograph(const std::string& path, int size, int patch) {
  if (path.empty()) {
    return absl::InvalidArgumentError(
        "the published values of this model are those of COCO's val2017/000000039769.jpg: "
        "--self-test FILE");
  }
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", bytes.status().message()));
  }
  const absl::StatusOr<DecodedImage> decoded = DecodeImage(*bytes, {});
  if (!decoded.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", decoded.status().message()));
  }
  if (decoded->image.width != 640 || decoded->image.height != 480) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", decoded->image.width, " x ", decoded->image.height,
                     " pixels; COCO's 000000039769.jpg has 640 x 480"));
  }
  const PreprocessedImage input = Preprocess(decoded->image, ResizeMode::kSquare, size, patch);
  return at::tensor(input.input).view({1, 3, size, size});
}

double Deviation(const at::Tensor& token, const Five& expected) {
  double deviation = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(token[static_cast<int64_t>(i)].item<float>() - expected[i]);
    // Also what is no number counts as the worst.
    deviation = difference <= deviation ? deviation : difference;
  }
  return deviation;
}

std::string RowName(const Published& published, Token token) {
  const char* name = token == Token::kCls          ? "CLS"
                     : token == Token::kFirstPatch ? "first patch"
                                                   : "last patch";
  return absl::StrCat(published.height_px, " x ", published.width_px, ", ", name);
}

}  // namespace

absl::StatusOr<std::vector<SelfTestRow>> RunSelfTest(const Checkpoint& checkpoint,
                                                     const std::string& image) {
  const ModelConfig& config = checkpoint.config();
  const c10::InferenceMode inference;
  std::unique_ptr<VisionTransformer> model;
  std::vector<SelfTestRow> rows;
  for (const Published& published : AllPublished()) {
    if (!Applies(published, config)) continue;
    at::Tensor input = Ramps(published.height_px, published.width_px);
    if (published.of_image) {
      OBJECTDINO_ASSIGN_OR_RETURN(input, Photograph(image, published.height_px, config.patch_size));
    }
    if (model == nullptr) {
      OBJECTDINO_ASSIGN_OR_RETURN(model, VisionTransformer::Create(checkpoint, "cpu"));
    }
    const ForwardResult result = model->Forward(input, {.taps = false});
    const at::Tensor tokens = result.tokens[0];  // [T, D]
    for (const auto& [token, expected] : published.tokens) {
      const int64_t index = token == Token::kCls          ? 0
                            : token == Token::kFirstPatch ? config.prefix_tokens()
                                                          : tokens.size(0) - 1;
      rows.push_back({.name = RowName(published, token),
                      .deviation = Deviation(tokens[index], expected),
                      .tolerance = published.tolerance});
    }
  }
  if (rows.empty()) {
    return absl::NotFoundError(absl::StrCat("no published values are known for ",
                                            VariantName(config), " in layout ", config.layout));
  }
  return rows;
}

}  // namespace objectdino
