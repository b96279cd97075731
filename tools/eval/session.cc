// SPDX-License-Identifier: Apache-2.0
#include "tools/eval/session.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/eval/sheet.h"

#include "client/cpp/image_files.h"
#include "client/cpp/overlay.h"
#include "client/cpp/progress_bar.h"
#include "core/base/read_file.h"
#include "core/base/status_macros.h"
#include "core/evaluation/corloc.h"
#include "core/evaluation/run.h"
#include "core/image/decode.h"
#include "core/pipeline/torch_runtime.h"

namespace objectdino {
namespace {

absl::Status CheckMasks(const std::vector<Sample>& samples) {
  for (const Sample& sample : samples) {
    for (const TruthObject& object : sample.objects) {
      if (object.mask) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(sample.name, ": an object without a mask: coco: and yolo-seg: have masks"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Session::Run() {
  OBJECTDINO_RETURN_IF_ERROR(Prepare());
  for (const NamedMethod& method : methods_) {
    OBJECTDINO_ASSIGN_OR_RETURN(auto records, Measure(method));
    records_.push_back(std::move(records));
  }
  Table table = command_.Columns();
  const auto add = [&](const std::string& name, const auto& records, Subject subject) {
    table.rows.push_back(command_.Summarize(samples_, records, subject));
    table.rows.back().method = name;
  };
  add("whole_image", records_.front(), Subject::kWholeImage);
  add("centre_box", records_.front(), Subject::kCentreBox);
  for (size_t i = 0; i < methods_.size(); ++i) {
    add(methods_[i].name, records_[i], Subject::kMethod);
  }
  console_.out << FormatTable(table, args_.format) << std::flush;
  if (!console_.out) return absl::UnavailableError("the standard output cannot be written");
  if (!args_.predictions.empty()) OBJECTDINO_RETURN_IF_ERROR(WritePredictions());
  if (!args_.sheet.empty()) OBJECTDINO_RETURN_IF_ERROR(WriteSheet());
  return absl::OkStatus();
}

absl::Status Session::Prepare() {
  DatasetOptions data = args_.data;
  data.masks = command_.needs_masks();
  OBJECTDINO_ASSIGN_OR_RETURN(samples_, LoadDataset(data));
  if (args_.limit > 0 && samples_.size() > args_.limit) samples_.resize(args_.limit);
  if (samples_.empty()) {
    return absl::NotFoundError(absl::StrCat(data.spec, ": no annotated image"));
  }
  if (command_.needs_masks()) OBJECTDINO_RETURN_IF_ERROR(CheckMasks(samples_));
  OBJECTDINO_ASSIGN_OR_RETURN(
      source_, args_.server.empty() ? LoadModel(args_.model) : ConnectServer(args_.server));
  if (args_.server.empty()) {
    if (const absl::Status blas = CheckTorchBlas(); !blas.ok()) {
      console_.err << "objectdino-eval: warning: " << blas.message() << "\n";
    }
  }
  OBJECTDINO_RETURN_IF_ERROR(ChooseMethods());
  if (args_.resume.empty()) return absl::OkStatus();
  JournalKey key{command_name_, source_->model_digest(), {}};
  for (const NamedMethod& method : methods_) key.methods[method.name] = Describe(method.options);
  OBJECTDINO_ASSIGN_OR_RETURN(journal_, Journal::Open(args_.resume, key, samples_));
  return absl::OkStatus();
}

absl::Status Session::ChooseMethods() {
  const auto add = [this](NamedMethod method, bool by_name) {
    args_.options.ApplyTo(method.options);
    const absl::Status status = source_->Check(method.options);
    if (!by_name && absl::IsUnimplemented(status)) return absl::OkStatus();
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat(method.name, ": ", status.message()));
    }
    methods_.push_back(std::move(method));
    return absl::OkStatus();
  };
  const auto& known = KnownMethods();
  for (const std::string& name : args_.methods) {
    const auto method = std::find_if(known.begin(), known.end(),
                                     [&name](const NamedMethod& m) { return m.name == name; });
    OBJECTDINO_RETURN_IF_ERROR(add(*method, true));  // the parser knows the names
  }
  for (const NamedMethod& method : known) {
    if (!args_.methods.empty() || !method.by_default) continue;
    OBJECTDINO_RETURN_IF_ERROR(add(method, false));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ImageRecord>> Session::Measure(const NamedMethod& method) {
  std::vector<ImageRecord> records(samples_.size());
  std::vector<size_t> todo;
  for (size_t i = 0; i < samples_.size(); ++i) {
    const ImageRecord* known =
        journal_ == nullptr ? nullptr : journal_->Find(method.name, samples_[i].name);
    if (known != nullptr) {
      records[i] = *known;
    } else {
      todo.push_back(i);
    }
  }
  size_t done = samples_.size() - todo.size();
  ProgressBar progress(console_.err, samples_.size(), console_.err_is_terminal);
  RunOptions run;
  run.lanes = std::min(args_.lanes, source_->max_lanes());
  run.stop = [this] { return console_.interrupted.load(); };
  const absl::Status status = MeasureSamples(
      samples_, todo, run,
      [&](const Sample& sample) -> absl::StatusOr<ImageRecord> {
        OBJECTDINO_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(sample.image_path));
        OBJECTDINO_ASSIGN_OR_RETURN(const Answer answer,
                                    source_->Ground(bytes, method.options, command_.needs_masks()));
        return command_.Measure(sample, answer, [&](absl::Span<const Box> boxes) {
          return source_->CheckBoxes(bytes, method.options, answer, boxes);
        });
      },
      [&](size_t i, const ImageRecord& record) {
        records[i] = record;
        progress.Show(++done, absl::StrCat(method.name, " ", samples_[i].name));
        return journal_ == nullptr ? absl::OkStatus()
                                   : journal_->Append(method.name, samples_[i], record);
      });
  progress.Clear();
  if (absl::IsCancelled(status)) {
    return absl::CancelledError(absl::StrCat(
        "interrupted after ", done, " of ", samples_.size(), " images of ", method.name,
        args_.resume.empty() ? "" : absl::StrCat("; run again to go on from ", args_.resume)));
  }
  if (!status.ok()) return status;
  return records;
}

absl::Status Session::WritePredictions() const {
  nlohmann::json document = nlohmann::json::array();
  for (size_t m = 0; m < methods_.size(); ++m) {
    for (size_t i = 0; i < samples_.size(); ++i) {
      const Box box = FirstBox(records_[m][i], Subject::kMethod);
      document.push_back({{"method", methods_[m].name},
                          {"file", samples_[i].name},
                          {"found", !records_[m][i].boxes.empty()},
                          {"box", {box.x1, box.y1, box.x2, box.y2}},
                          {"iou", BestIou(box, samples_[i].Boxes())}});
    }
  }
  return WriteFile(args_.predictions,
                   document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

absl::Status Session::WriteSheet() const {
  std::vector<double> ious;
  for (size_t i = 0; i < samples_.size(); ++i) {
    ious.push_back(BestIou(FirstBox(records_[0][i], Subject::kMethod), samples_[i].Boxes()));
  }
  const size_t count = std::min(args_.sheet_count, samples_.size());
  std::vector<size_t> chosen(count);
  std::iota(chosen.begin(), chosen.end(), size_t{0});
  const bool by_iou = args_.sheet_order == SheetOrder::kBestWorst;
  if (by_iou) chosen = BestAndWorst(ious, count);

  const NamedMethod& method = methods_.front();
  std::vector<Tile> tiles;
  for (const size_t i : chosen) {
    OBJECTDINO_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(samples_[i].image_path));
    DecodeOptions decode;
    decode.allow_truncated = true;
    OBJECTDINO_ASSIGN_OR_RETURN(DecodedImage decoded, DecodeImage(bytes, decode));
    OBJECTDINO_ASSIGN_OR_RETURN(Answer answer, source_->Ground(bytes, method.options, true));
    Tile& tile = tiles.emplace_back();
    tile.photo = std::move(decoded.image);
    tile.truth = samples_[i].Boxes();
    tile.predicted = records_[0][i].boxes;
    if (!answer.pixel_masks.empty()) tile.mask = std::move(answer.pixel_masks.front());
    tile.iou = ious[i];
    tile.method = method.name;
    tile.name = samples_[i].name;
  }
  const std::string title =
      absl::StrCat(args_.data.spec, ", ",
                   by_iou ? absl::StrCat("best ", (count + 1) / 2, " and worst ", count / 2)
                          : absl::StrCat("first ", count),
                   " of ", samples_.size(), " images by ", method.name);
  OBJECTDINO_ASSIGN_OR_RETURN(const Image sheet, DrawSheet(title, tiles));
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string png, EncodePng(sheet));
  return WriteFile(args_.sheet, png);
}

}  // namespace objectdino
