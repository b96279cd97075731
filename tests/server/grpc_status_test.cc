// SPDX-License-Identifier: Apache-2.0
#include "server/grpc_status.h"

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

#include "core/image/decode.h"
#include "server/request_error.h"

namespace objectdino {
namespace {

google::rpc::Status DetailsOf(const WireStatus& wire) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(wire.status.error_details()));
  return details;
}

TEST(GrpcStatus, Ok_IsOk) {
  const WireStatus wire = ToWireStatus(absl::OkStatus());
  EXPECT_TRUE(wire.status.ok());
  EXPECT_EQ(CodeName(wire.status), "OK");
}

TEST(GrpcStatus, FieldError_IsABadRequestWithThePath) {
  const WireStatus wire = ToWireStatus(FieldError("options.clusters", "must be in [2, 64], got 1"));
  EXPECT_EQ(wire.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(wire.status.error_message(), "options.clusters must be in [2, 64], got 1");
  const google::rpc::Status details = DetailsOf(wire);
  EXPECT_EQ(details.code(), 3);
  EXPECT_EQ(details.message(), wire.status.error_message());
  google::rpc::BadRequest bad_request;
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(details.details(0).UnpackTo(&bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "options.clusters");
}

TEST(GrpcStatus, ImageTooLarge_HasFieldAndReason) {
  absl::Status status = absl::InvalidArgumentError("9 pixels, the limit is 8");
  status.SetPayload(kImageTooLargePayload, absl::Cord());
  const google::rpc::Status details = DetailsOf(ToWireStatus(WithField(status, "image.encoded")));
  google::rpc::ErrorInfo info;
  ASSERT_EQ(details.details_size(), 2);
  ASSERT_TRUE(details.details(1).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "IMAGE_TOO_LARGE");
  EXPECT_EQ(info.domain(), "objectdino");
}

TEST(GrpcStatus, ResponseTooLarge_HasTheReason) {
  const WireStatus wire = ToWireStatus(ResponseTooLarge(8));
  EXPECT_EQ(wire.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(DetailsOf(wire).details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "RESPONSE_TOO_LARGE");
}

TEST(GrpcStatus, Overload_SaysWhenToComeBack) {
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(DetailsOf(ToWireStatus(ComeBackLater("busy", absl::Milliseconds(1234))))
                  .details(0)
                  .UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 234'000'000);
}

TEST(GrpcStatus, LongMessage_IsCutAtACharacter) {
  const std::string umlauts = [] {
    std::string text = "x";  // so that a character straddles the limit
    while (text.size() < 5000) text += "\xC3\xA4";
    return text;
  }();
  const WireStatus wire = ToWireStatus(absl::InvalidArgumentError(umlauts));
  EXPECT_EQ(wire.status.error_message().size(), kMaxStatusMessageBytes - 1);
  EXPECT_EQ(wire.status.error_message(), umlauts.substr(0, kMaxStatusMessageBytes - 1));
}

TEST(GrpcStatus, Internal_ShowsAnIdInsteadOfTheText) {
  const WireStatus first = ToWireStatus(absl::InternalError("secret"));
  const WireStatus second = ToWireStatus(absl::InternalError("secret"));
  EXPECT_EQ(first.status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(first.status.error_message(),
              ::testing::AllOf(::testing::HasSubstr(first.incident),
                               ::testing::Not(::testing::HasSubstr("secret"))));
  EXPECT_EQ(first.incident.size(), 16U);
  EXPECT_NE(first.incident, second.incident);
}

TEST(GrpcStatus, CodeOutsideOfTheContract_IsInternal) {
  for (const absl::Status& status :
       {absl::UnknownError("x"), absl::NotFoundError("x"), absl::FailedPreconditionError("x")}) {
    const WireStatus wire = ToWireStatus(status);
    EXPECT_EQ(wire.status.error_code(), grpc::StatusCode::INTERNAL) << status;
    EXPECT_FALSE(wire.incident.empty());
  }
}

}  // namespace
}  // namespace objectdino
