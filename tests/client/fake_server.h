// SPDX-License-Identifier: Apache-2.0
// A grounding server on a free port of the loopback interface that answers as the test says. Where
// it serves streams, items are answered as calls are, and an image "break" breaks its stream with
// UNAVAILABLE.
#ifndef OBJECTDINO_TESTS_CLIENT_FAKE_SERVER_H_
#define OBJECTDINO_TESTS_CLIENT_FAKE_SERVER_H_

#include <atomic>
#include <functional>
#include <grpcpp/grpcpp.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "grpc/health/v1/health.grpc.pb.h"

#include "objectdino/v1/grounding_service.grpc.pb.h"

namespace objectdino::testing {

class FakeServer : public v1::GroundingService::Service, public grpc::health::v1::Health::Service {
 public:
  using Answer = std::function<grpc::Status(grpc::ServerContext&, const v1::GroundRequest&,
                                            v1::GroundResponse&)>;

  // In pairs: the second of two items is answered before the first; streams have an even number.
  enum class Streams { kUnimplemented, kServed, kInPairs };

  explicit FakeServer(Answer answer,
                      const std::shared_ptr<grpc::ServerCredentials>& credentials =
                          grpc::InsecureServerCredentials(),
                      Streams streams = Streams::kUnimplemented)
      : answer_(std::move(answer)), served_streams_(streams) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port);
    builder.RegisterService(static_cast<v1::GroundingService::Service*>(this));
    builder.RegisterService(static_cast<grpc::health::v1::Health::Service*>(this));
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeServer() override { server_->Shutdown(std::chrono::system_clock::now()); }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  const std::string& address() const { return address_; }
  int calls() const { return calls_; }
  int streams() const { return streams_; }

  std::atomic<int> health = grpc::health::v1::HealthCheckResponse::SERVING;

  grpc::Status Ground(grpc::ServerContext* context, const v1::GroundRequest* request,
                      v1::GroundResponse* response) override {
    ++calls_;
    return answer_(*context, *request, *response);
  }

  // The answer is the grounding; region i scores i / 8, in its own box.
  grpc::Status VerifyRegions(grpc::ServerContext* context, const v1::VerifyRegionsRequest* request,
                             v1::VerifyRegionsResponse* response) override {
    v1::GroundRequest ground;
    *ground.mutable_image() = request->image();
    *ground.mutable_options() = request->options();
    const grpc::Status status = Ground(context, &ground, response->mutable_grounding());
    for (const v1::Region& region : request->regions()) {
      v1::RegionScore* score = response->add_scores();
      score->set_score(static_cast<float>(response->scores_size() - 1) / 8);
      *score->mutable_box() = region.box();
    }
    return status;
  }

  grpc::Status StreamGround(grpc::ServerContext* context,
                            grpc::ServerReaderWriter<v1::StreamGroundResponse,
                                                     v1::StreamGroundRequest>* stream) override {
    if (served_streams_ == Streams::kUnimplemented) {
      return {grpc::StatusCode::UNIMPLEMENTED, "no streams"};
    }
    ++streams_;
    v1::StreamGroundRequest item;
    std::optional<v1::StreamGroundResponse> held_back;
    while (stream->Read(&item)) {
      if (item.request().image().encoded() == "break") {
        return {grpc::StatusCode::UNAVAILABLE, "broken"};
      }
      v1::StreamGroundResponse response;
      response.set_request_id(item.request().request_id());
      const grpc::Status status = Ground(context, &item.request(), response.mutable_response());
      response.set_code(status.error_code());
      response.set_message(status.error_message());
      if (!status.ok()) response.clear_response();
      if (served_streams_ == Streams::kInPairs && !held_back) {
        held_back = response;
        continue;
      }
      stream->Write(response);
      if (held_back) stream->Write(*held_back);
      held_back.reset();
    }
    return grpc::Status::OK;
  }

  grpc::Status GetModelInfo(grpc::ServerContext*, const v1::GetModelInfoRequest*,
                            v1::GetModelInfoResponse* response) override {
    response->mutable_model()->set_name("fake");
    response->add_methods(v1::METHOD_OBJECT_DINO);
    return grpc::Status::OK;
  }

  grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest*,
                     grpc::health::v1::HealthCheckResponse* response) override {
    response->set_status(
        static_cast<grpc::health::v1::HealthCheckResponse::ServingStatus>(health.load()));
    return grpc::Status::OK;
  }

 private:
  Answer answer_;
  Streams served_streams_;
  std::atomic<int> calls_ = 0;
  std::atomic<int> streams_ = 0;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_CLIENT_FAKE_SERVER_H_
