// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/load_options.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr double kDayS = 86400;
constexpr double kDayMs = kDayS * 1000;
constexpr double kMaxRate = 1e5;
constexpr size_t kMaxRequests = 100'000'000;
constexpr size_t kMaxConcurrency = 10'000;
constexpr size_t kMaxOutstanding = 1'000'000;
constexpr size_t kMaxChannels = 64;

absl::Status Refuse(absl::string_view flag, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat(flag, " must be ", rule));
}

// Also refuses what is not a number.
bool Within(double value, double low, double high) { return value >= low && value <= high; }
bool Positive(double value, double high) { return value > 0 && value <= high; }

absl::Status CheckLoop(const LoadOptions& o) {
  if (!Within(static_cast<double>(o.concurrency), 1, kMaxConcurrency))
    return Refuse("--concurrency", "1 .. 10000");
  if (o.rate && !Positive(*o.rate, kMaxRate))
    return Refuse("--rate", "more than 0 and at most 100000 a second");
  if (!Positive(o.duration_s, kDayS))
    return Refuse("--duration", "more than 0 and at most 86400 seconds");
  if (o.requests && !Within(static_cast<double>(*o.requests), 1, kMaxRequests))
    return Refuse("--requests", "1 .. 100000000");
  if (!Within(o.warmup_s, 0, kDayS)) return Refuse("--warmup", "0 .. 86400 seconds");
  if (!Within(static_cast<double>(o.channels), 1, kMaxChannels))
    return Refuse("--channels", "1 .. 64");
  if (!Within(static_cast<double>(o.max_outstanding), 1, kMaxOutstanding))
    return Refuse("--max-outstanding", "1 .. 1000000");
  if (!o.rate && o.concurrency > o.max_outstanding)
    return Refuse("--max-outstanding", "at least --concurrency");
  return absl::OkStatus();
}

absl::Status CheckRequests(const LoadOptions& o) {
  if (!Positive(o.deadline_ms.low, kDayMs) ||
      !Within(o.deadline_ms.high, o.deadline_ms.low, kDayMs))
    return Refuse("--deadline", "more than 0 and at most a day, a range ascending");
  if (!Within(o.cancel_share, 0, 1)) return Refuse("--cancel-share", "0 .. 1");
  if (!Within(o.cancel_after_ms.low, 0, kDayMs) ||
      !Within(o.cancel_after_ms.high, o.cancel_after_ms.low, kDayMs))
    return Refuse("--cancel-after", "0 or more and at most a day, ascending");
  if (!Within(o.bad_share, 0, 1)) return Refuse("--bad-share", "0 .. 1");
  if (std::count(o.sizes.begin(), o.sizes.end(), 0U) > 0) return Refuse("--sizes", "positive");
  if (o.stream && o.cancel_share > 0) {
    return absl::InvalidArgumentError(
        "--cancel-share does not go with --stream: a stream has no cancellation of one item");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Range> ParseRange(const std::string& text) {
  const std::vector<std::string> ends = absl::StrSplit(text, ':');
  Range range;
  if (ends.size() > 2 || !absl::SimpleAtod(ends.front(), &range.low) ||
      !absl::SimpleAtod(ends.back(), &range.high)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not MIN:MAX"));
  }
  return range;
}

absl::Status LoadOptions::Validate() const {
  OBJECTDINO_RETURN_IF_ERROR(CheckLoop(*this));
  return CheckRequests(*this);
}

}  // namespace objectdino
