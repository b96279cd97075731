// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/progress_bar.h"

#include "absl/strings/str_format.h"

namespace objectdino {
namespace {

constexpr size_t kBarWidth = 30;
constexpr size_t kLabelWidth = 32;  // the whole line stays below 80 columns
constexpr char kClearLine[] = "\r\x1b[K";

}  // namespace

void ProgressBar::Show(size_t done, const std::string& label) {
  if (!enabled_ || total_ == 0) return;
  const size_t filled = kBarWidth * done / total_;
  out_ << kClearLine
       << absl::StrFormat("[%s%s] %d/%d %s", std::string(filled, '#'),
                          std::string(kBarWidth - filled, '.'), done, total_,
                          label.substr(0, kLabelWidth))
       << std::flush;
}

void ProgressBar::Clear() {
  if (enabled_) out_ << kClearLine << std::flush;
}

}  // namespace objectdino
