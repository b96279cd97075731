// SPDX-License-Identifier: Apache-2.0
// A model of any family that tells bright patches from dark ones, and knows nothing else.
//
// The token of a patch is brightness * u + w, with u and w fixed and at right angles. Attention and
// feed-forward add nothing; queries, keys and values are the normalised tokens. The CLS token lies
// along u, so that it looks at bright patches. Registers are brighter than any patch: an index that
// is off by their number shows.
#ifndef OBJECTDINO_TESTS_SUPPORT_BRIGHT_MODEL_H_
#define OBJECTDINO_TESTS_SUPPORT_BRIGHT_MODEL_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/weights/model_config.h"
#include "tests/core/weights/model_folder.h"

namespace objectdino::testing {

struct BrightModel {
  ModelFamily family = ModelFamily::kDinov2;
  int patch = 14;
  int registers = 0;
  int heads = 2;  // of 16 dimensions
  int layers = 2;
  bool random_weights = true;

  int width() const { return 16 * heads; }
};

// Hugging Face's names.
class BrightModelWriter {
 public:
  explicit BrightModelWriter(const BrightModel& model) : model_(model) {}

  void WriteTo(const TempFolder& folder) {
    folder.Write("config.json", Config());
    AddTensors();
    folder.Write("model.safetensors", MakeSafetensors(tensors_));
  }

 private:
  static constexpr int kGrid = 4;

  bool v1() const { return model_.family == ModelFamily::kDino; }
  bool v3() const { return model_.family == ModelFamily::kDinov3; }

  std::string Config() const {
    const bool with_registers = model_.registers > 0 && !v3();
    const std::string type = v1()             ? "vit"
                             : v3()           ? "dinov3_vit"
                             : with_registers ? "dinov2_with_registers"
                                              : "dinov2";
    std::string json = absl::StrCat(
        R"({"model_type": ")", type, R"(", "hidden_size": )", model_.width(),
        R"(, "num_hidden_layers": )", model_.layers, R"(, "num_attention_heads": )", model_.heads,
        R"(, "image_size": )", kGrid * model_.patch, R"(, "patch_size": )", model_.patch,
        R"(, "layer_norm_eps": 1e-6, "hidden_act": "gelu", "objectdino_random_weights": )",
        model_.random_weights ? "true" : "false");
    if (v1() || v3()) absl::StrAppend(&json, R"(, "intermediate_size": )", model_.width());
    if (!v1() && !v3()) absl::StrAppend(&json, R"(, "mlp_ratio": 1)");
    if (v3()) absl::StrAppend(&json, R"(, "rope_theta": 100.0)");
    if (model_.registers > 0)
      absl::StrAppend(&json, R"(, "num_register_tokens": )", model_.registers);
    return json + "}";
  }

  // In each head u fills the dimensions that rotation turns least, w the others.
  float U(int i) const { return i % 4 < 2 ? 0.0F : Sign(i); }
  float W(int i) const { return i % 4 < 2 ? Sign(i) : 0.0F; }
  static float Sign(int i) { return i % 2 == 0 ? 1.0F : -1.0F; }

  template <typename Value>  // of the first index
  void Add(const std::string& name, const std::vector<int64_t>& shape, const Value& value) {
    int64_t size = 1;
    for (const int64_t side : shape) size *= side;
    std::vector<float> values;
    for (int64_t i = 0; i < size; ++i) values.push_back(value(i));
    tensors_[name] = FloatTensor(shape, values);
  }
  void AddConstant(const std::string& name, const std::vector<int64_t>& shape, float constant) {
    Add(name, shape, [constant](int64_t) { return constant; });
  }
  // diag(scale) x.
  void AddLinear(const std::string& name, float scale) {
    const int64_t width = model_.width();
    Add(name + ".weight", {width, width},
        [&](int64_t i) { return i / width == i % width ? scale : 0.0F; });
    AddConstant(name + ".bias", {width}, 0);
  }
  void AddNorm(const std::string& name) {
    AddConstant(name + ".weight", {model_.width()}, 1);
    AddConstant(name + ".bias", {model_.width()}, 0);
  }

  void AddTensors() {
    const int64_t width = model_.width();
    const int64_t patch = model_.patch;
    const auto width_of = [width](int64_t i) { return static_cast<int>(i % width); };
    Add("embeddings.cls_token", {1, 1, width}, [&](int64_t i) { return U(width_of(i)); });
    if (model_.registers > 0) {
      Add("embeddings.register_tokens", {1, model_.registers, width},
          [&](int64_t i) { return 40 * U(width_of(i)) + W(width_of(i)); });
    }
    if (!v3()) {
      AddConstant("embeddings.position_embeddings", {1, 1 + kGrid * kGrid, width}, 0);
    }
    const std::string embed =
        v3() ? "embeddings.patch_embeddings" : "embeddings.patch_embeddings.projection";
    const int64_t pixels = 3 * patch * patch;
    Add(embed + ".weight", {width, 3, patch, patch}, [&](int64_t i) {
      return 2 * U(static_cast<int>(i / pixels)) / static_cast<float>(pixels);
    });
    Add(embed + ".bias", {width}, [&](int64_t i) { return W(static_cast<int>(i)); });
    for (int layer = 0; layer < model_.layers; ++layer) AddBlock(layer);
    AddNorm(v3() ? "norm" : "layernorm");
  }

  void AddBlock(int layer) {
    const std::string block = absl::StrCat(v3() ? "layer." : "encoder.layer.", layer, ".");
    AddNorm(block + (v1() ? "layernorm_before" : "norm1"));
    AddNorm(block + (v1() ? "layernorm_after" : "norm2"));
    for (const char* part : {"query", "key", "value"}) {
      AddLinear(v3() ? absl::StrCat(block, "attention.", std::string(1, part[0]), "_proj")
                     : absl::StrCat(block, "attention.attention.", part),
                1);
    }
    AddLinear(block + (v3() ? "attention.o_proj" : "attention.output.dense"), 0);
    AddLinear(block + (v1() ? "intermediate.dense" : v3() ? "mlp.up_proj" : "mlp.fc1"), 1);
    AddLinear(block + (v1() ? "output.dense" : v3() ? "mlp.down_proj" : "mlp.fc2"), 0);
    if (v1()) return;
    AddConstant(block + "layer_scale1.lambda1", {model_.width()}, 1);
    AddConstant(block + "layer_scale2.lambda1", {model_.width()}, 1);
  }

  BrightModel model_;
  std::map<std::string, FileTensor> tensors_;
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_BRIGHT_MODEL_H_
