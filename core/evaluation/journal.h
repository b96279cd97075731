// SPDX-License-Identifier: Apache-2.0
// What a run has measured so far, in a file of one JSON line an image and method, so that a run
// that was cut off goes on where it stopped.
//
// A line belongs to a command, a method with its options, the model's weights, and an image with
// its ground truth. A file that holds lines of another command, model, ground truth, or of the same
// method with other options is refused. A last line that was cut off is dropped.
//
// Thread-safety: none; the caller locks.
#ifndef OBJECTDINO_CORE_EVALUATION_JOURNAL_H_
#define OBJECTDINO_CORE_EVALUATION_JOURNAL_H_

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/evaluation/dataset.h"
#include "core/evaluation/record.h"

namespace objectdino {

// What all lines of one run have in common.
struct JournalKey {
  std::string command;                         // "corloc"
  std::string model;                           // SHA-256 of the weights
  std::map<std::string, std::string> methods;  // name -> all options, spelled out
};

class Journal {
 public:
  // Reads `path`, which is made if it is not there. INVALID_ARGUMENT "FILE:LINE: reason": a line
  // that is none, or of another run. NOT_FOUND, UNAVAILABLE: cannot be read or written.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& path,
                                                       const JournalKey& key,
                                                       absl::Span<const Sample> samples);

  // Null: not measured yet.
  const ImageRecord* Find(const std::string& method, const std::string& image) const;

  // Appends a line, and hands it to the system. UNAVAILABLE: cannot be written.
  absl::Status Append(const std::string& method, const Sample& sample, const ImageRecord& record);

 private:
  Journal(std::string path, JournalKey key) : path_(std::move(path)), key_(std::move(key)) {}

  absl::Status ReadLine(const std::string& line, const std::map<std::string, std::string>& truths);

  std::string path_;
  JournalKey key_;
  std::map<std::pair<std::string, std::string>, ImageRecord> records_;  // (method, image)
  std::ofstream file_;
};

// A short name of a sample's ground truth, boxes, labels and masks.
std::string TruthFingerprint(const Sample& sample);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_JOURNAL_H_
