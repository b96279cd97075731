// SPDX-License-Identifier: Apache-2.0
#include "core/math/kmeans.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/math/random_state.h"
#include "core/weights/safetensors.h"
#include "tests/reference/kmeans_reference.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

template <typename T>
std::vector<T> ValuesOf(const SafetensorsTable& table, const std::string& name) {
  const TensorView& tensor = table.tensors.at(name);
  std::vector<T> values(tensor.element_count());
  EXPECT_EQ(tensor.bytes.size(), values.size() * sizeof(T)) << name;
  std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(T));
  return values;
}

class KMeansGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    auto file = SafetensorsFile::Open(OBJECTDINO_SOURCE_DIR "/tests/golden/kmeans.safetensors");
    ASSERT_THAT(file, IsOk());
    file_ = *std::move(file);
  }

  const SafetensorsTable& table() const { return file_->table(); }

 private:
  std::unique_ptr<SafetensorsFile> file_;
};

TEST_F(KMeansGolden, EveryProblem_HasTheLabelsOfScikitLearn) {
  const int problems = std::stoi(table().metadata.at("problems"));
  ASSERT_GE(problems, 10);
  for (int i = 0; i < problems; ++i) {
    SCOPED_TRACE(absl::StrCat("problem ", i));
    const auto& shape = table().tensors.at(absl::StrCat("x_", i)).shape;
    const auto parameters = ValuesOf<int32_t>(table(), absl::StrCat("k_seed_n_init_", i));
    KMeansOptions options;
    options.clusters = parameters[0];
    options.seed = static_cast<uint32_t>(parameters[1]);
    options.restarts = parameters[2];
    const auto result = KMeans(ValuesOf<float>(table(), absl::StrCat("x_", i)),
                               static_cast<int>(shape[0]), static_cast<int>(shape[1]), options);
    ASSERT_THAT(result, IsOk());
    EXPECT_EQ(result->labels, ValuesOf<int32_t>(table(), absl::StrCat("labels_", i)));
    const double inertia = ValuesOf<double>(table(), absl::StrCat("inertia_", i))[0];
    EXPECT_NEAR(result->inertia, inertia, 1e-5 * inertia + 1e-9);
  }
}

TEST_F(KMeansGolden, RandomState_DrawsAsNumpy) {
  RandomState random(42);
  for (const double expected : ValuesOf<double>(table(), "numpy_random")) {
    EXPECT_EQ(random.NextDouble(), expected);
  }
}

// Points around `clusters` random centres, row-major.
std::vector<float> Blobs(int rows, int features, int clusters, double spread, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> centres(size_t{1} * clusters * features);
  for (float& value : centres) value = normal(engine);
  std::vector<float> data;
  for (int i = 0; i < rows; ++i) {
    for (int d = 0; d < features; ++d) {
      data.push_back(centres[i % clusters * features + d] +
                     static_cast<float>(spread) * normal(engine));
    }
  }
  return data;
}

reference::Rows RowsOf(const std::vector<float>& data, int features) {
  reference::Rows rows;
  for (size_t i = 0; i < data.size(); i += features) {
    rows.emplace_back(data.begin() + i, data.begin() + i + features);
  }
  return rows;
}

TEST(KMeans, RandomProblems_EqualNaiveTwin) {
  int compared = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    const int rows = 20 + static_cast<int>(seed * 7 % 80);
    const int features = 3 + static_cast<int>(seed * 5 % 40);
    KMeansOptions options;
    options.clusters = std::vector{2, 3, 5, 12}[seed % 4];
    options.restarts = 1 + static_cast<int>(seed % 5);
    options.seed = seed;
    const auto data = Blobs(rows, features, options.clusters, 0.1 + seed % 3, seed);
    const auto expected = reference::KMeans(RowsOf(data, features), options);
    if (expected.emptied) continue;
    const auto result = KMeans(data, rows, features, options);
    ASSERT_THAT(result, IsOk());
    EXPECT_EQ(result->labels, expected.labels) << "seed " << seed;
    EXPECT_NEAR(result->inertia, expected.inertia, 1e-8 * expected.inertia) << "seed " << seed;
    ++compared;
  }
  EXPECT_GT(compared, 250);
}

TEST(KMeans, OffsetOfAllRows_DoesNotChangeLabels) {
  auto data = Blobs(72, 8, 5, 1, 3);
  const auto before = KMeans(data, 72, 8, {});
  for (float& value : data) value += 64;
  const auto after = KMeans(data, 72, 8, {});
  ASSERT_THAT(before, IsOk());
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->labels, before->labels);
}

TEST(KMeans, OneCluster_LabelsAllRowsZero) {
  const std::vector<float> data = {0, 2, 4};
  const auto result = KMeans(data, 3, 1, {.clusters = 1});
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(result->labels, Each(0));
  EXPECT_DOUBLE_EQ(result->inertia, 8);
}

TEST(KMeans, AsManyClustersAsRows_SeparatesThem) {
  const auto data = Blobs(6, 4, 6, 0, 5);
  const auto result = KMeans(data, 6, 4, {.clusters = 6});
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(std::set<int>(result->labels.begin(), result->labels.end()).size(), 6U);
  EXPECT_NEAR(result->inertia, 0, 1e-9);
}

TEST(KMeans, IdenticalRows_AreFiniteAndTogether) {
  const std::vector<float> data(60, 1.5F);
  const auto result = KMeans(data, 20, 3, {.clusters = 5});
  ASSERT_THAT(result, IsOk());
  EXPECT_THAT(result->labels, Each(result->labels[0]));
  EXPECT_DOUBLE_EQ(result->inertia, 0);
}

TEST(KMeans, DuplicatedRows_KeepDuplicatesTogether) {
  auto data = Blobs(20, 6, 20, 0, 9);
  const std::vector<float> copy = data;
  data.insert(data.end(), copy.begin(), copy.end());
  const auto result = KMeans(data, 40, 6, {.clusters = 7});
  ASSERT_THAT(result, IsOk());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(result->labels[i], result->labels[i + 20]) << i;
}

TEST(KMeans, SizeThatDoesNotFit_IsInvalid) {
  const std::vector<float> data(11, 0);
  EXPECT_THAT(KMeans(data, 3, 4, {.clusters = 2}), StatusIs(kInvalid, HasSubstr("11 values")));
  EXPECT_THAT(KMeans(data, 0, 4, {.clusters = 2}), StatusIs(kInvalid, HasSubstr("0 x 4")));
}

TEST(KMeans, MoreClustersThanRows_IsInvalid) {
  const std::vector<float> data(4, 0);
  EXPECT_THAT(KMeans(data, 4, 1, {.clusters = 5}), StatusIs(kInvalid, HasSubstr("clusters = 5")));
  EXPECT_THAT(KMeans(data, 4, 1, {.clusters = 0}), StatusIs(kInvalid, HasSubstr("clusters = 0")));
}

TEST(KMeans, OptionOutOfRange_IsInvalid) {
  const std::vector<float> data(4, 0);
  EXPECT_THAT(KMeans(data, 4, 1, {.clusters = 2, .restarts = 0}),
              StatusIs(kInvalid, HasSubstr("restarts = 0")));
  EXPECT_THAT(KMeans(data, 4, 1, {.clusters = 2, .tolerance = std::nan("")}),
              StatusIs(kInvalid, HasSubstr("tolerance = nan")));
}

TEST(KMeans, ValueThatIsNotFinite_IsInvalid) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> data = {0, 1, bad, 3};
    EXPECT_THAT(KMeans(data, 4, 1, {.clusters = 2}), StatusIs(kInvalid, HasSubstr("not finite")));
  }
}

}  // namespace
}  // namespace objectdino
