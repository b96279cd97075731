// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/journal.h"

#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"
#include "core/evaluation/fingerprint.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json ToJson(const ImageRecord& record) {
  json boxes = json::array();
  for (const Box& box : record.boxes) boxes.push_back({box.x1, box.y1, box.x2, box.y2});
  return {{"image", {record.image.height, record.image.width}},
          {"boxes", std::move(boxes)},
          {"masks",
           {{"best", record.masks.best},
            {"whole", record.masks.whole},
            {"centre", record.masks.centre},
            {"largest", record.masks.largest}}},
          {"verify", {{"true", record.verify.true_scores}, {"moved", record.verify.moved_scores}}}};
}

// Throws json::exception.
ImageRecord RecordOf(const json& document) {
  ImageRecord record;
  record.image = {document.at("image").at(0).get<int>(), document.at("image").at(1).get<int>()};
  for (const json& box : document.at("boxes")) {
    record.boxes.push_back({box.at(0).get<float>(), box.at(1).get<float>(), box.at(2).get<float>(),
                            box.at(3).get<float>()});
  }
  const json& masks = document.at("masks");
  record.masks.best = masks.at("best").get<std::vector<double>>();
  record.masks.whole = masks.at("whole").get<std::vector<double>>();
  record.masks.centre = masks.at("centre").get<std::vector<double>>();
  record.masks.largest = masks.at("largest").get<int>();
  const json& verify = document.at("verify");
  record.verify.true_scores = verify.at("true").get<std::vector<double>>();
  record.verify.moved_scores = verify.at("moved").get<std::vector<double>>();
  return record;
}

absl::Status AnotherRun(absl::string_view what, absl::string_view theirs, absl::string_view ours) {
  return absl::InvalidArgumentError(absl::StrCat("is of another run, with ", what, " '", theirs,
                                                 "' where this one has '", ours,
                                                 "': use another file, or delete it"));
}

template <typename T>
void AddValue(const T& value, Fingerprint& print) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  print.Add({bytes, sizeof(T)});
}

}  // namespace

std::string TruthFingerprint(const Sample& sample) {
  Fingerprint print;
  for (const TruthObject& object : sample.objects) {
    AddValue(object.box, print);
    print.Add(object.label);
    if (!object.mask) continue;
    for (const Polygon& polygon : object.mask->polygons) {
      for (const Vertex& vertex : polygon) AddValue(vertex, print);
      AddValue(polygon.size(), print);
    }
    print.Add(object.mask->rle);
    for (const uint32_t run : object.mask->runs) AddValue(run, print);
  }
  return absl::StrCat(absl::Hex(print.value(), absl::kZeroPad16));
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path,
                                                       const JournalKey& key,
                                                       absl::Span<const Sample> samples) {
  auto journal = absl::WrapUnique(new Journal(path, key));
  const auto in_file = [&path](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  };
  std::error_code error;
  if (fs::exists(path, error)) {
    const absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) return in_file(text.status());
    std::map<std::string, std::string> truths;
    for (const Sample& sample : samples) truths[sample.name] = TruthFingerprint(sample);
    size_t start = 0;
    for (int number = 1; start < text->size(); ++number) {
      const size_t end = text->find('\n', start);
      if (end == std::string::npos) break;
      const absl::Status status = journal->ReadLine(text->substr(start, end - start), truths);
      if (!status.ok()) {
        return absl::Status(status.code(), absl::StrCat(path, ":", number, ": ", status.message()));
      }
      start = end + 1;
    }
    if (start < text->size()) fs::resize_file(path, start, error);  // a line that was cut off
    if (error) return absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
  }
  journal->file_.open(path, std::ios::binary | std::ios::app);
  if (!journal->file_) return in_file(absl::UnavailableError("cannot be written"));
  return journal;
}

absl::Status Journal::ReadLine(const std::string& line,
                               const std::map<std::string, std::string>& truths) {
  try {
    const json document = json::parse(line);
    const auto text = [&document](const char* name) {
      return document.at(name).get<std::string>();
    };
    const std::string method = text("method");
    const std::string image = text("file");
    if (text("command") != key_.command) {
      return AnotherRun("command", text("command"), key_.command);
    }
    if (text("model") != key_.model) return AnotherRun("model", text("model"), key_.model);
    const auto ours = key_.methods.find(method);
    if (ours != key_.methods.end() && text("options") != ours->second) {
      return AnotherRun("options", text("options"), ours->second);
    }
    const auto truth = truths.find(image);
    if (truth != truths.end() && text("truth") != truth->second) {
      return AnotherRun("ground truth", text("truth"), truth->second);
    }
    records_[{method, image}] = RecordOf(document.at("result"));
  } catch (const json::exception&) {
    return absl::InvalidArgumentError("is not a line of a journal");
  }
  return absl::OkStatus();
}

const ImageRecord* Journal::Find(const std::string& method, const std::string& image) const {
  const auto record = records_.find({method, image});
  return record == records_.end() ? nullptr : &record->second;
}

absl::Status Journal::Append(const std::string& method, const Sample& sample,
                             const ImageRecord& record) {
  const json line = {{"command", key_.command}, {"model", key_.model},
                     {"method", method},        {"options", key_.methods.at(method)},
                     {"file", sample.name},     {"truth", TruthFingerprint(sample)},
                     {"result", ToJson(record)}};
  file_ << line.dump(-1, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
  if (!file_) return absl::UnavailableError(absl::StrCat(path_, ": cannot be written"));
  return absl::OkStatus();
}

}  // namespace objectdino
