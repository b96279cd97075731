// SPDX-License-Identifier: Apache-2.0
#include "server/ground_pipeline.h"

#include <algorithm>
#include <bit>
#include <exception>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/image/preprocess.h"
#include "server/codec.h"
#include "server/region_request.h"
#include "server/request_error.h"

namespace objectdino {
namespace {

constexpr int kBytesPerPixel = 3;

// The last resort against exceptions of a stage.
template <typename Run>
absl::Status Guard(const Run& run) {
  try {
    return run();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

// Images of one bucket can share a forward pass: same grid, same work.
uint64_t Bucket(uint32_t work, const PatchGrid& grid) {
  return uint64_t{work} << 32 | static_cast<uint64_t>(grid.rows) << 16 |
         static_cast<uint64_t>(grid.cols);
}

uint32_t WorkOf(uint64_t bucket) { return static_cast<uint32_t>(bucket >> 32); }

int64_t RequestBytes(const GroundJob& job) {
  return static_cast<int64_t>(job.exchange.request.ByteSizeLong());
}

// What the regions take once they are read.
int64_t RegionBytes(const GroundJob& job) {
  const Regions* const regions = job.exchange.regions;
  return regions == nullptr ? 0 : BytesOfRegions(*regions, job.cost.tokens);
}

// Regions are looked at after the forward pass, so only there they are work of another kind: by
// the order of their number.
uint64_t PostClass(const GroundJob& job) {
  constexpr int kShift = 24;  // above the patches, below the work
  const Regions* const regions = job.exchange.regions;
  const uint64_t order =
      regions == nullptr ? 0 : std::bit_width(static_cast<uint64_t>(regions->size()));
  return job.cost.cost_class() | order << kShift;
}

// The post stage is about as long as its masks are large.
int64_t PostCost(const GroundJob& job) {
  const ImageSize size = job.parsed.image_size;
  return job.parsed.options.pixel_masks ? int64_t{size.height} * size.width : job.cost.tokens;
}

bool AllFailedForMemory(const std::vector<absl::StatusOr<InferredImage>>& results) {
  return std::all_of(results.begin(), results.end(),
                     [](const auto& result) { return absl::IsResourceExhausted(result.status()); });
}

}  // namespace

GroundPipeline::GroundPipeline(const GroundingEngine& engine, const Limits& limits,
                               const PipelineOptions& options, Metrics& metrics)
    : engine_(engine),
      limits_(limits),
      metrics_(metrics),
      in_flight_(limits.max_inflight_bytes),
      backlog_({.lanes = options.lanes, .max_queue = limits.max_queue}, service_),
      queue_({.max_batch = options.max_batch,
              .max_tokens = options.max_batch_tokens,
              .max_delay = options.batch_delay,
              .lanes = options.lanes},
             [this](const TaskTraits& task) {
               const Cost cost = {WorkOf(task.bucket), task.tokens};
               return service_.Expected(cost.cost_class(), cost.tokens);
             }),
      decode_pool_(options.decode_threads),
      post_pool_(options.post_threads) {
  metrics_.ReadLoadFrom([this] { return load(); });
  for (int lane = 0; lane < options.lanes; ++lane) lanes_.emplace_back([this] { RunLane(); });
}

GroundPipeline::~GroundPipeline() {
  queue_.Close();
  for (std::thread& lane : lanes_) lane.join();
}

void GroundPipeline::Submit(JobPtr job) {
  job->mark = job->arrival;
  if (absl::Status status = Admit(*job); !status.ok()) {
    GiveBack(std::move(job), std::move(status));
    return;
  }
  decode_pool_.Run([this, raw = job.release()] { Decode(JobPtr(raw)); });
}

absl::Status GroundPipeline::Admit(GroundJob& job) {
  if (in_flight_.closed()) {
    metrics_.CountRejection(Rejection::kDraining);
    return absl::UnavailableError("the server is draining");
  }
  const ModelConfig& model = engine_.facts().config;
  OBJECTDINO_ASSIGN_OR_RETURN(job.parsed,
                              ParseGroundRequest(job.exchange.question, model, limits_));
  if (job.exchange.regions != nullptr) {
    OBJECTDINO_RETURN_IF_ERROR(
        CheckRegions(*job.exchange.regions, job.parsed, engine_.facts(), limits_));
    job.parsed.options.patch_embeddings = true;  // regions are compared by them
  }
  const GroundOptions& options = job.parsed.options;
  job.cost = CostOf(options, ChoosePatchGrid(job.parsed.image_size, options.resize_mode,
                                             options.input_size, model.patch_size)
                                 .size());
  OBJECTDINO_RETURN_IF_ERROR(job.StillWanted(job.arrival));

  const ImageSize size = job.parsed.image_size;
  auto place = in_flight_.Enter(RequestBytes(job) + RegionBytes(job) +
                                int64_t{size.height} * size.width * kBytesPerPixel);
  if (!place.ok()) {
    metrics_.CountRejection(absl::IsUnavailable(place.status()) ? Rejection::kDraining
                                                                : Rejection::kBytes);
    return place.status();
  }
  job.place = *std::move(place);
  const Backlog::Admission admission = backlog_.Enter({.deadline = job.deadline - PostTime(job),
                                                       .cost_class = job.cost.cost_class(),
                                                       .tokens = job.cost.tokens},
                                                      job.arrival);
  switch (admission.outcome) {
    case Backlog::Outcome::kAdmitted:
      job.backlog = admission.ticket;
      return absl::OkStatus();
    case Backlog::Outcome::kQueueFull:
      metrics_.CountRejection(Rejection::kQueueFull);
      return ComeBackLater(
          absl::StrCat("all ", limits_.max_queue, " places in the queue are taken"),
          admission.retry_after);
    case Backlog::Outcome::kTooLate:
      metrics_.CountRejection(Rejection::kTooLate);
      return ComeBackLater("the answer would not be ready before the deadline",
                           admission.retry_after);
  }
  return absl::InternalError("unknown outcome of admission");
}

absl::Duration GroundPipeline::PostTime(const GroundJob& job) const {
  return post_.Expected(PostClass(job), PostCost(job));
}

void GroundPipeline::Cancel(CallerState& caller) {
  caller.gone = true;
  const uint64_t ticket = caller.ticket;
  if (ticket == 0) return;
  if (std::optional<JobPtr> job = queue_.Remove(ticket)) {
    GaveUp(*job, CancelPoint::kQueue);
  }
}

bool GroundPipeline::GaveUp(JobPtr& job, CancelPoint point) {
  absl::Status status = job->StillWanted(absl::Now());
  if (status.ok()) return false;
  metrics_.CountCancelled(point);
  GiveBack(std::move(job), std::move(status));
  return true;
}

void GroundPipeline::Decode(JobPtr job) {
  job->times.queue_ms += job->Lap();
  if (GaveUp(job, CancelPoint::kDecode)) return;
  const absl::Status status = Guard([&] { return Prepare(*job); });
  if (!status.ok()) {
    GiveBack(std::move(job), status);
  } else {
    Enqueue(std::move(job));
  }
}

absl::Status GroundPipeline::Prepare(GroundJob& job) {
  OBJECTDINO_ASSIGN_OR_RETURN(job.image,
                              ReadRequestImage(job.exchange.question.image, job.parsed.decode));
  job.times.stages.decode_ms = job.Lap();
  auto prepared = engine_.Prepare(std::exchange(job.image.image, {}), job.parsed.options);
  if (!prepared.ok()) {
    // Options were checked at arrival, so what is left to be wrong is the image.
    return absl::IsInvalidArgument(prepared.status()) ? WithField(prepared.status(), "image")
                                                      : prepared.status();
  }
  job.prepared = *std::move(prepared);
  job.Lap();
  if (job.exchange.regions != nullptr) {
    OBJECTDINO_ASSIGN_OR_RETURN(
        job.regions,
        ReadRegions(*job.exchange.regions, job.prepared.input.grid, job.prepared.size));
    job.times.stages.decode_ms += job.Lap();
  }
  job.place.Resize(RequestBytes(job) + RegionBytes(job) +
                   static_cast<int64_t>(job.prepared.input.input.size() * sizeof(float) +
                                        job.prepared.image.rgb.size()));
  return absl::OkStatus();
}

void GroundPipeline::Enqueue(JobPtr job) {
  job->compute_until = job->deadline - PostTime(*job);
  const TaskTraits traits = {.bucket = Bucket(job->cost.work, job->prepared.input.grid),
                             .tokens = job->cost.tokens,
                             .deadline = job->compute_until};
  // From Add on the job may end on another thread, and its caller with it.
  const std::shared_ptr<CallerState> caller = job->caller;
  caller->ticket = *queue_.Add(traits, std::move(job));  // it closes last of all
  if (caller->gone) Cancel(*caller);                     // it went before there was a ticket
}

void GroundPipeline::RunLane() {
  while (true) {
    auto taken = queue_.Take();
    if (taken.closed) return;
    for (JobPtr& job : taken.late) {
      if (!GaveUp(job, CancelPoint::kQueue)) TurnAwayLate(std::move(job));
    }
    std::vector<JobPtr> batch;
    for (JobPtr& job : taken.tasks) {
      if (!GaveUp(job, CancelPoint::kQueue)) batch.push_back(std::move(job));
    }
    if (batch.empty()) continue;
    int64_t tokens = 0;
    for (const JobPtr& job : batch) tokens += job->cost.tokens;
    metrics_.ObserveBatch(static_cast<int>(batch.size()), tokens, taken.reason);
    RunBatch(std::move(batch));
  }
}

void GroundPipeline::RunBatch(std::vector<JobPtr> batch) {
  const absl::Time start = absl::Now();
  std::vector<Ticket> tickets;
  for (const JobPtr& job : batch) {
    job->times.queue_ms += job->Lap();
    job->batch_size = static_cast<int>(batch.size());
    tickets.push_back(*job->backlog);
  }
  backlog_.Start(tickets, start);
  std::vector<absl::StatusOr<InferredImage>> results;
  const absl::Status status = Guard([&] {
    results = Infer(batch);
    return absl::OkStatus();
  });
  if (!status.ok()) results.assign(batch.size(), status);

  const absl::Time end = absl::Now();
  const absl::Duration each = (end - start) / static_cast<int64_t>(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    JobPtr job = std::move(batch[i]);
    backlog_.Finish(*std::exchange(job->backlog, std::nullopt));
    job->mark = end;
    if (results[i].ok()) {
      service_.Observe(job->cost.cost_class(), job->cost.tokens, each);
      job->computed = true;
      job->inferred = *std::move(results[i]);
      post_pool_.Run([this, raw = job.release()] { Post(JobPtr(raw)); });
      continue;
    }
    const bool stopped = absl::IsCancelled(results[i].status());
    // It would have taken longer than that: worth knowing where it is more than was thought.
    if (stopped && each > service_.Mean(job->cost.cost_class(), job->cost.tokens)) {
      service_.Observe(job->cost.cost_class(), job->cost.tokens, each);
    }
    if (GaveUp(job, CancelPoint::kInference)) continue;
    if (stopped) {
      TurnAwayLate(std::move(job));
    } else {
      GiveBack(std::move(job), results[i].status());
    }
  }
}

void GroundPipeline::TurnAwayLate(JobPtr job) {
  metrics_.CountRejection(Rejection::kLateInQueue);
  const absl::Duration delay = service_.Mean(job->cost.cost_class(), job->cost.tokens);
  GiveBack(std::move(job),
           ComeBackLater("the answer would not be ready before the deadline", delay));
}

// One forward pass; once more, image by image, when there was no memory for all of them.
std::vector<absl::StatusOr<InferredImage>> GroundPipeline::Infer(
    const std::vector<JobPtr>& batch) const {
  const auto nobody_waits = [&batch] {
    const absl::Time now = absl::Now();
    return std::all_of(batch.begin(), batch.end(), [now](const JobPtr& job) {
      return job->caller->gone || now >= job->compute_until;
    });
  };
  std::vector<const PreparedImage*> images;
  for (const JobPtr& job : batch) images.push_back(&job->prepared);
  auto results = engine_.Infer(images, nobody_waits);
  if (images.size() == 1 || !AllFailedForMemory(results)) return results;
  results.clear();
  for (const PreparedImage* image : images) {
    results.push_back(std::move(engine_.Infer({image}, nobody_waits).front()));
  }
  return results;
}

void GroundPipeline::Post(JobPtr job) {
  job->times.queue_ms += job->Lap();
  if (GaveUp(job, CancelPoint::kPost)) return;
  const absl::Time start = job->mark;
  absl::Status status = Guard([&] { return Encode(*job); });
  if (absl::IsCancelled(status) && GaveUp(job, CancelPoint::kPost)) return;
  if (status.ok()) post_.Observe(PostClass(*job), PostCost(*job), absl::Now() - start);
  GiveBack(std::move(job), std::move(status));
}

absl::Status GroundPipeline::Encode(GroundJob& job) {
  const auto nobody_waits = [&job] { return !job.StillWanted(absl::Now()).ok(); };
  auto found = engine_.Finish(std::exchange(job.prepared, {}), std::exchange(job.inferred, {}),
                              nobody_waits);
  if (absl::IsOutOfRange(found.status())) return ResponseTooLarge(limits_.max_response_bytes);
  OBJECTDINO_RETURN_IF_ERROR(found.status());
  Grounding& grounding = *found;
  job.Lap();
  std::vector<RegionScore> scores;
  if (job.exchange.regions != nullptr) {
    OBJECTDINO_RETURN_IF_ERROR(CheckSpaces(*job.exchange.regions, grounding, engine_.facts()));
    const auto regions = std::exchange(job.regions, {});
    scores = VerifyRegions(grounding, regions, nobody_waits);
    if (scores.size() < regions.size()) return absl::CancelledError("stopped between two regions");
    grounding.timings.objects_ms += job.Lap();
  }
  const double decode_ms = job.times.stages.decode_ms;
  StageTimings& stages = job.times.stages;
  stages = grounding.timings;
  stages.decode_ms = decode_ms;
  metrics_.CountResult(grounding);
  v1::GroundResponse& answer = job.exchange.grounding;
  EncodeGrounding(grounding, job.parsed, job.image, engine_.facts(), &answer);
  answer.set_request_id(job.exchange.question.request_id);
  for (const RegionScore& score : scores) EncodeScore(score, job.exchange.scores->Add());
  job.times.encode_ms = job.Lap();

  v1::Timing* timing = answer.mutable_timing();
  timing->set_queue_ms(static_cast<float>(job.times.queue_ms));
  timing->set_decode_ms(static_cast<float>(decode_ms));
  timing->set_encode_ms(static_cast<float>(job.times.encode_ms));
  metrics_.ObserveStage(Stage::kQueue, job.times.queue_ms);
  metrics_.ObserveStage(Stage::kDecode, decode_ms);
  metrics_.ObserveStage(Stage::kPreprocess, stages.preprocess_ms);
  metrics_.ObserveStage(Stage::kBackbone, stages.backbone_ms);
  metrics_.ObserveStage(Stage::kHeads, stages.heads_ms);
  metrics_.ObserveStage(Stage::kObjects, stages.objects_ms);
  if (job.parsed.options.pixel_masks) metrics_.ObserveStage(Stage::kMasks, stages.masks_ms);
  metrics_.ObserveStage(Stage::kEncode, job.times.encode_ms);

  const auto bytes = static_cast<int64_t>(job.exchange.response.ByteSizeLong());
  if (bytes > limits_.max_response_bytes) return ResponseTooLarge(limits_.max_response_bytes);
  job.place.Resize(RequestBytes(job) + bytes);
  return absl::OkStatus();
}

void GroundPipeline::GiveBack(JobPtr job, absl::Status status) {
  if (job->backlog) backlog_.Abandon(*std::exchange(job->backlog, std::nullopt));
  if (job->computed && !job->StillWanted(absl::Now()).ok()) metrics_.CountWasted();
  if (!status.ok()) {
    job->prepared = {};
    job->inferred = {};
  }
  auto done = std::move(job->done);
  done(std::move(job), std::move(status));
}

}  // namespace objectdino
