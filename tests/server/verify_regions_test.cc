// SPDX-License-Identifier: Apache-2.0
// VerifyRegions over a socket: its answers, and the rows of the status contract.
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

#include "core/objects/region_check.h"
#include "server/grounding_service.h"
#include "server/tensor_codec.h"
#include "tests/support/files.h"
#include "tests/support/running_server.h"

namespace objectdino {
namespace {

using ::testing::HasSubstr;
using testing::RawRequest;
using testing::RunningServer;

// The fake engine's grid is 2 x 3, on the 2 x 3 pixels of RawRequest: a patch a pixel.
v1::VerifyRegionsRequest Request(const std::string& id = "") {
  v1::VerifyRegionsRequest request;
  *request.mutable_image() = RawRequest().image();
  request.set_request_id(id);
  return request;
}

void AddBox(v1::VerifyRegionsRequest& request, float x1, float y1, float x2, float y2) {
  v1::Box* box = request.add_regions()->mutable_box();
  box->set_x1(x1);
  box->set_y1(y1);
  box->set_x2(x2);
  box->set_y2(y2);
}

v1::VerifyRegionsRequest MiddleColumn(const std::string& id = "") {
  v1::VerifyRegionsRequest request = Request(id);
  AddBox(request, 1, 0, 2, 2);
  return request;
}

grpc::Status Verify(RunningServer& running, const v1::VerifyRegionsRequest& request,
                    v1::VerifyRegionsResponse* response = nullptr,
                    absl::Duration timeout = absl::Seconds(60)) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  v1::VerifyRegionsResponse ignored;
  return running.stub().VerifyRegions(&context, request, response != nullptr ? response : &ignored);
}

std::string FieldIn(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  google::rpc::BadRequest detail;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&detail)) return detail.field_violations(0).field();
  }
  return "";
}

TEST(VerifyRegions, Answer_HasAScoreARegionAndTheGrounding) {
  RunningServer running;
  v1::VerifyRegionsRequest request = MiddleColumn("a");
  request.add_regions()->mutable_point()->set_x(0.5);  // patch 0
  request.mutable_regions(1)->mutable_point()->set_y(0.5);
  v1::Mask* mask = request.add_regions()->mutable_mask();
  mask->set_height(2);
  mask->set_width(3);
  mask->set_coco_rle("222");  // runs down the columns: 2 outside, 2 inside, 2 outside
  *request.add_regions()->mutable_query()->mutable_values() =
      EncodeTensor({1, 1, 1, 1}, {4}, v1::DATA_TYPE_F16);
  v1::VerifyRegionsResponse response;
  const grpc::Status status = Verify(running, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.scores_size(), 4);

  const v1::RegionScore& box = response.scores(0);
  EXPECT_NEAR(box.objectness_inside(), (1 + 0.75) / 2, 1e-6);
  EXPECT_NEAR(box.objectness_around(), 0.25 / 4, 1e-6);
  EXPECT_NEAR(box.score(),
              ScoreOfRule(double{box.objectness_inside()} - box.objectness_around() +
                          box.attention_inside() - box.attention_outside()),
              1e-5);
  EXPECT_GT(box.attention_inside(), box.attention_outside());
  EXPECT_FLOAT_EQ(box.coverage(), 1);
  EXPECT_EQ(box.best_object().index(), 0U);
  EXPECT_FLOAT_EQ(box.best_object().iou(), 1);
  EXPECT_GE(box.best_object().similarity(), -1);
  EXPECT_LE(box.best_object().similarity(), 1);
  EXPECT_FALSE(box.has_query());

  const v1::RegionScore& point = response.scores(1);
  EXPECT_EQ(point.box().x2(), 1);
  EXPECT_EQ(point.objectness_inside(), 0);
  EXPECT_FALSE(point.has_best_object());
  EXPECT_LT(point.score(), box.score());

  EXPECT_NEAR(response.scores(2).score(), box.score(), 1e-6) << "the same region, as a mask";

  const v1::RegionScore& query = response.scores(3);
  ASSERT_TRUE(query.has_query());
  // Patch i holds 4i .. 4i + 3: the cosine to (1, 1, 1, 1) grows with i.
  EXPECT_EQ(query.query().patch_index(), 5U);
  EXPECT_NEAR(query.query().similarity(),
              86 / (2 * std::sqrt(20 * 20 + 21 * 21 + 22 * 22 + 23 * 23)), 1e-6);

  const v1::GroundResponse& grounding = response.grounding();
  EXPECT_EQ(grounding.request_id(), "a");
  EXPECT_EQ(grounding.objects_size(), 1);
  EXPECT_EQ(grounding.grid().cols(), 3U);
  EXPECT_EQ(grounding.image().width(), 3U);
  EXPECT_EQ(grounding.model().name(), "fake");
  EXPECT_FALSE(grounding.has_patches()) << "not asked for";
}

TEST(VerifyRegions, Grounding_IsThatOfGround) {
  RunningServer running;
  v1::VerifyRegionsRequest request = MiddleColumn("a");
  request.mutable_options()->add_outputs(v1::OUTPUT_OBJECTS);
  request.mutable_options()->add_outputs(v1::OUTPUT_PATCH_EMBEDDINGS);
  v1::VerifyRegionsResponse verified;
  ASSERT_TRUE(Verify(running, request, &verified).ok());
  v1::GroundRequest same = RawRequest("a");
  *same.mutable_options() = request.options();
  v1::GroundResponse grounded;
  ASSERT_TRUE(running.Ground(same, &grounded).ok());
  verified.mutable_grounding()->clear_timing();
  grounded.clear_timing();
  EXPECT_EQ(verified.grounding().SerializeAsString(), grounded.SerializeAsString());
}

TEST(VerifyRegions, Outcome_IsLoggedAndCountedUnderItsName) {
  RunningServer running(RunningServer::OneLane());
  ASSERT_TRUE(Verify(running, MiddleColumn("a")).ok());
  const nlohmann::json line = running.log().WaitFor("ground.done", "a");
  EXPECT_EQ(line["method"], "VerifyRegions");
  EXPECT_EQ(line["code"], "OK");
  EXPECT_EQ(line["regions"], 1);
  EXPECT_EQ(line["objects"], 1);
  EXPECT_GT(line["response_bytes"], 0);
}

TEST(VerifyRegions, BadRegion_IsInvalidWithTheFieldAndNotComputed) {
  RunningServer running;
  v1::VerifyRegionsRequest request = MiddleColumn();
  AddBox(request, 3, 0, 5, 2);  // beside the image
  const grpc::Status status = Verify(running, request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldIn(status), "regions[1].box");
  EXPECT_EQ(running.engine().calls(), 0);
}

TEST(VerifyRegions, DamagedMask_IsInvalidWithTheFieldAndNotComputed) {
  RunningServer running;
  v1::VerifyRegionsRequest request = Request();
  v1::Mask* mask = request.add_regions()->mutable_mask();
  mask->set_height(2);
  mask->set_width(3);
  mask->set_coco_rle("2222");
  const grpc::Status status = Verify(running, request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldIn(status), "regions[0].mask.coco_rle");
  EXPECT_EQ(running.engine().calls(), 0);
}

TEST(VerifyRegions, QueryOfOtherHeads_IsInvalidWithTheField) {
  RunningServer running;
  v1::VerifyRegionsRequest request = Request();
  v1::Embedding* query = request.add_regions()->mutable_query();
  *query->mutable_values() = EncodeTensor({1, 1, 1}, {3}, v1::DATA_TYPE_F32);
  request.mutable_options()->set_embedding_source(v1::EMBEDDING_SOURCE_OBJECT_HEADS);
  const grpc::Status status = Verify(running, request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldIn(status), "regions[0].query.values");
}

TEST(VerifyRegions, NoRegionsOrTooMany_AreInvalid) {
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_regions = 2;
  RunningServer running(config);
  v1::VerifyRegionsRequest request = Request();
  EXPECT_EQ(FieldIn(Verify(running, request)), "regions");
  for (int i = 0; i < 3; ++i) AddBox(request, 0, 0, 1, 1);
  EXPECT_EQ(FieldIn(Verify(running, request)), "regions");
  request.mutable_regions()->RemoveLast();
  EXPECT_TRUE(Verify(running, request).ok());
  grpc::ClientContext context;
  v1::GetModelInfoResponse info;
  ASSERT_TRUE(running.stub().GetModelInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.limits().max_regions(), 2U);
}

TEST(VerifyRegions, ImageAndOptions_AreCheckedAsForGround) {
  RunningServer running;
  v1::VerifyRegionsRequest request = MiddleColumn();
  request.mutable_options()->set_clusters(1);
  EXPECT_EQ(FieldIn(Verify(running, request)), "options.clusters");
  request = MiddleColumn();
  request.mutable_image()->set_encoded("no image");
  EXPECT_EQ(FieldIn(Verify(running, request)), "image.encoded");
  request = MiddleColumn(std::string(129, 'x'));
  EXPECT_EQ(FieldIn(Verify(running, request)), "request_id");
  request.Clear();
  EXPECT_EQ(FieldIn(Verify(running, request)), "image.source");
}

TEST(VerifyRegions, ResponseTooLarge_IsExhausted) {
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_response_bytes = 2000;
  RunningServer running(config);
  v1::VerifyRegionsRequest request = MiddleColumn();
  ASSERT_TRUE(Verify(running, request).ok());
  for (int i = 0; i < 100; ++i) AddBox(request, 1, 0, 2, 2);
  const grpc::Status status = Verify(running, request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("2000"));
}

TEST(VerifyRegions, QueueFull_IsExhausted) {
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_queue = 1;
  RunningServer running(config);
  running.engine().Block();
  std::thread computed([&] { EXPECT_TRUE(Verify(running, MiddleColumn()).ok()); });
  running.engine().WaitForFirstCall();
  std::thread waiting([&] { EXPECT_TRUE(running.Ground(RawRequest()).ok()); });
  while (running.server().load().queue_depth < 1) {
  }
  EXPECT_EQ(Verify(running, MiddleColumn()).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  running.engine().Release();
  computed.join();
  waiting.join();
}

TEST(VerifyRegions, DeadlinePassesInTheQueue_EngineIsNotCalled) {
  RunningServer running;
  running.engine().Block();
  std::thread first([&] { EXPECT_TRUE(running.Ground(RawRequest()).ok()); });
  running.engine().WaitForFirstCall();
  EXPECT_EQ(Verify(running, MiddleColumn(), nullptr, absl::Milliseconds(50)).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  while (running.server().load().inflight > 1) {
  }
  running.engine().Release();
  first.join();
  EXPECT_EQ(running.engine().calls(), 1);
}

TEST(VerifyRegions, CancelledInTheQueue_EngineIsNotCalled) {
  RunningServer running;
  running.engine().Block();
  std::thread first([&] { EXPECT_TRUE(running.Ground(RawRequest()).ok()); });
  running.engine().WaitForFirstCall();
  grpc::ClientContext context;
  std::thread second([&] {
    v1::VerifyRegionsResponse response;
    EXPECT_EQ(
        running.stub().VerifyRegions(&context, MiddleColumn("second"), &response).error_code(),
        grpc::StatusCode::CANCELLED);
  });
  while (running.server().load().queue_depth < 1) {
  }
  context.TryCancel();
  second.join();
  EXPECT_EQ(running.log().WaitFor("ground.done", "second")["code"], "CANCELLED");
  running.engine().Release();
  first.join();
  EXPECT_EQ(running.engine().calls(), 1);
}

TEST(VerifyRegions, EngineFault_IsInternalWithoutItsText) {
  RunningServer running;
  running.engine().FailWith(absl::InternalError("secret of the engine"));
  const grpc::Status status = Verify(running, MiddleColumn("a"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), ::testing::Not(HasSubstr("secret")));
  EXPECT_EQ(running.log().WaitFor("ground.done", "a")["message"], "secret of the engine");
}

TEST(VerifyRegions, Drained_IsUnavailable) {
  RunningServer running;
  ASSERT_TRUE(Verify(running, MiddleColumn()).ok());
  EXPECT_TRUE(running.server().Drain(absl::Seconds(60)));
  EXPECT_EQ(Verify(running, MiddleColumn()).error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace objectdino
