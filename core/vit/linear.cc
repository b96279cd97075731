// SPDX-License-Identifier: Apache-2.0
#include "core/vit/linear.h"

#include <optional>
#include <string_view>

#include "ATen/core/List.h"
#include "ATen/core/dispatch/Dispatcher.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/linear.h"

namespace objectdino {
namespace {

using ReorderSignature = at::Tensor(const at::Tensor&, std::optional<c10::SymInt>);
using ScalarList = c10::List<std::optional<at::Scalar>>;
using PointwiseSignature = at::Tensor(const at::Tensor&, const at::Tensor&,
                                      const std::optional<at::Tensor>&, std::string_view,
                                      ScalarList, std::optional<std::string_view>);
using BinarySignature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                   const std::optional<at::Tensor>&, std::string_view);

struct PackedOps {
  c10::TypedOperatorHandle<ReorderSignature> reorder;
  c10::TypedOperatorHandle<PointwiseSignature> pointwise;
  c10::TypedOperatorHandle<BinarySignature> binary;
};

std::optional<PackedOps> FindPackedOps() {
  auto& dispatcher = c10::Dispatcher::singleton();
  const auto reorder = dispatcher.findSchema({"mkldnn::_reorder_linear_weight", ""});
  const auto pointwise = dispatcher.findSchema({"mkldnn::_linear_pointwise", ""});
  const auto binary = dispatcher.findSchema({"mkldnn::_linear_pointwise", "binary"});
  if (!reorder || !pointwise || !binary) return std::nullopt;
  return PackedOps{reorder->typed<ReorderSignature>(), pointwise->typed<PointwiseSignature>(),
                   binary->typed<BinarySignature>()};
}

const std::optional<PackedOps>& GetPackedOps() {
  static const std::optional<PackedOps> ops = FindPackedOps();
  return ops;
}

}  // namespace

Linear::Linear(const at::Tensor& weight, const at::Tensor& bias, at::Device device)
    : packed_(device.is_cpu() && GetPackedOps().has_value()), bias_(bias.to(device)) {
  weight_ =
      packed_ ? GetPackedOps()->reorder.call(weight.contiguous(), std::nullopt) : weight.to(device);
}

at::Tensor Linear::Forward(const at::Tensor& x) const {
  if (!packed_) return at::linear(x, weight_, bias_);
  return GetPackedOps()->pointwise.call(x, weight_, bias_, "none", ScalarList(), std::nullopt);
}

at::Tensor Linear::ForwardGelu(const at::Tensor& x) const {
  if (!packed_) return at::gelu(at::linear(x, weight_, bias_));
  return GetPackedOps()->pointwise.call(x, weight_, bias_, "gelu", ScalarList(), "none");
}

at::Tensor Linear::ForwardAdd(const at::Tensor& x, const at::Tensor& residual) const {
  if (!packed_) return at::linear(x, weight_, bias_).add_(residual);
  return GetPackedOps()->binary.call(x, residual, weight_, bias_, "add");
}

}  // namespace objectdino
