// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

#include "client/cpp/commands/choice_flag.h"
#include "client/cpp/commands/commands.h"
#include "client/cpp/commands/method_flags.h"
#include "client/cpp/image_files.h"
#include "client/cpp/mask.h"
#include "client/cpp/overlay.h"
#include "client/cpp/progress_bar.h"
#include "client/cpp/response_json.h"
#include "client/cpp/response_text.h"
#include "core/base/status_macros.h"
#include "core/image/mask_png.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

struct GroundFlags {
  ServerFlags server;
  std::vector<std::string> paths;
  bool json = false;
  std::string json_folder;
  std::string overlay_folder;
  std::string mask_folder;
  size_t concurrency = 1;

  MethodFlags method;
  v1::MaskRefinement mask_refinement = v1::MASK_REFINEMENT_UNSPECIFIED;
  std::optional<uint32_t> max_objects;
  std::optional<float> min_score;
  bool proposals = false;
  bool mirror = false;
  v1::EmbeddingSource embeddings = v1::EMBEDDING_SOURCE_UNSPECIFIED;

  v1::GroundOptions Options() const {
    v1::GroundOptions options = method.Options();
    options.set_mask_refinement(mask_refinement);
    if (!overlay_folder.empty() || !mask_folder.empty()) {
      options.add_outputs(v1::OUTPUT_OBJECTS);
      options.add_outputs(v1::OUTPUT_OBJECTNESS);
      options.add_outputs(v1::OUTPUT_PIXEL_MASKS);
    }
    if (max_objects) options.set_max_objects(*max_objects);
    if (min_score) options.set_min_score(*min_score);
    if (proposals) options.set_proposals(true);
    if (mirror) options.set_mirror(true);
    options.set_embedding_source(embeddings);
    return options;
  }
};

// What became of one image.
struct Outcome {
  absl::Status status;
  v1::GroundResponse response;
  std::string overlay_path;             // empty: none was asked for
  std::vector<std::string> mask_paths;  // one an object, where they were asked for
  bool unreachable = false;             // the server gave no answer
};

// Grounds the images of one command line, `concurrency` at a time; reports them in their order.
class GroundRun {
 public:
  GroundRun(const GroundFlags& flags, const GroundingClient& client, const Console& console)
      : flags_(flags),
        client_(client),
        console_(console),
        options_(flags.Options()),
        images_(ListImages(flags.paths)),
        names_(OutputNames(images_)),
        outcomes_(images_.size()),
        progress_(console.err, images_.size(), console.err_is_terminal && images_.size() > 1) {}

  int Run() {
    std::vector<std::thread> threads;
    for (size_t i = 1; i < std::min(flags_.concurrency, images_.size()); ++i) {
      threads.emplace_back([this] { Work(); });
    }
    Work();
    for (std::thread& thread : threads) thread.join();
    return Finish();
  }

 private:
  void Work() {
    for (;;) {
      const size_t index = next_.fetch_add(1);
      if (index >= images_.size() || console_.interrupted || unreachable_) return;
      Outcome outcome = GroundOne(index);
      if (outcome.unreachable) unreachable_ = true;
      absl::MutexLock lock(&mutex_);
      outcomes_[index] = std::move(outcome);
      ++done_;
      ReportLocked();
      progress_.Show(done_, fs::path(images_[index]).filename().string());
    }
  }

  Outcome GroundOne(size_t index) const {
    Outcome outcome;
    auto bytes = ReadImageFile(images_[index]);
    if (!bytes.ok()) {
      outcome.status = bytes.status();
      return outcome;
    }
    auto response = client_.Ground(*bytes, options_);
    if (!response.ok()) {
      outcome.status = response.status();
      outcome.unreachable = absl::IsUnavailable(response.status());
      return outcome;
    }
    outcome.response = *std::move(response);
    if (!flags_.json_folder.empty()) outcome.status = WriteJson(index, outcome.response);
    if (outcome.status.ok() && !flags_.overlay_folder.empty()) {
      const fs::path path = fs::path(flags_.overlay_folder) / (names_[index] + ".overlay.png");
      outcome.status = WriteOverlay(path, *bytes, outcome.response);
      outcome.overlay_path = path.string();
    }
    if (outcome.status.ok() && !flags_.mask_folder.empty()) {
      outcome.status = WriteMasks(index, *bytes, outcome);
    }
    return outcome;
  }

  absl::Status WriteJson(size_t index, const v1::GroundResponse& response) const {
    OBJECTDINO_ASSIGN_OR_RETURN(const auto entry, FileEntry(images_[index], response));
    return WriteFile(fs::path(flags_.json_folder) / (names_[index] + ".json"), JsonText(entry));
  }

  static absl::Status WriteOverlay(const fs::path& path, const std::string& bytes,
                                   const v1::GroundResponse& response) {
    OBJECTDINO_ASSIGN_OR_RETURN(const Image image, DecodeGrounded(bytes, response.image()));
    OBJECTDINO_ASSIGN_OR_RETURN(const Image overlay, DrawOverlay(image, response));
    OBJECTDINO_ASSIGN_OR_RETURN(const std::string png, EncodePng(overlay));
    return WriteFile(path, png);
  }

  // NAME.0.png and so on, 255 inside and 0 outside.
  absl::Status WriteMasks(size_t index, const std::string& bytes, Outcome& outcome) const {
    OBJECTDINO_ASSIGN_OR_RETURN(const ImageSize size,
                                GroundedSize(bytes, outcome.response.image()));
    for (const v1::GroundedObject& object : outcome.response.objects()) {
      const fs::path path =
          fs::path(flags_.mask_folder) / absl::StrCat(names_[index], ".", object.index(), ".png");
      OBJECTDINO_ASSIGN_OR_RETURN(const std::vector<uint8_t> mask,
                                  DecodeMask(object.pixel_mask(), size));
      OBJECTDINO_ASSIGN_OR_RETURN(const std::string png, EncodeMaskPng(mask, size));
      OBJECTDINO_RETURN_IF_ERROR(WriteFile(path, png));
      outcome.mask_paths.push_back(path.string());
    }
    return absl::OkStatus();
  }

  // Reports every image whose predecessors are all reported.
  void ReportLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    progress_.Clear();
    while (reported_ < images_.size() && outcomes_[reported_].has_value()) {
      Report(images_[reported_], *outcomes_[reported_]);
      outcomes_[reported_]->response.Clear();  // large, and not needed again
      ++reported_;
    }
  }

  void Report(const std::string& file, const Outcome& outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::Status status = outcome.status;
    if (status.ok() && flags_.json) {
      auto entry = FileEntry(file, outcome.response);
      status = entry.status();
      if (entry.ok()) document_.push_back(*std::move(entry));
    }
    if (!status.ok()) {
      ++failed_;
      if (flags_.json) document_.push_back(ErrorEntry(file, status));
      if (outcome.unreachable) {
        server_status_ = status;
      } else {
        console_.err << absl::StrCat("objectdino: ", file, ": ", ErrorText(status), "\n");
      }
      return;
    }
    ++grounded_;
    std::ostream& messages = flags_.json ? console_.err : console_.out;
    if (!flags_.json) messages << GroundingText(file, outcome.response);
    if (!outcome.overlay_path.empty()) messages << "  overlay " << outcome.overlay_path << "\n";
    for (const std::string& path : outcome.mask_paths) messages << "  mask " << path << "\n";
    messages << std::flush;
  }

  int Finish() {
    absl::MutexLock lock(&mutex_);
    progress_.Clear();
    if (flags_.json) console_.out << JsonText(document_);
    if (unreachable_) {
      ReportServerError(flags_.server, server_status_, console_);
    }
    if ((images_.size() > 1 && !(unreachable_ && grounded_ == 0)) || console_.interrupted) {
      const size_t left = images_.size() - grounded_ - failed_;
      (flags_.json ? console_.err : console_.out) << absl::StrCat(
          images_.size(), images_.size() == 1 ? " image: " : " images: ", grounded_, " grounded, ",
          failed_, " failed", left > 0 ? absl::StrCat(", ", left, " left out") : "", "\n");
    }
    if (console_.interrupted) return kExitInterrupted;
    if (unreachable_) return kExitUnreachable;
    return failed_ > 0 ? kExitFailed : kExitOk;
  }

  const GroundFlags& flags_;
  const GroundingClient& client_;
  const Console& console_;
  const v1::GroundOptions options_;
  const std::vector<std::string> images_;
  const std::vector<std::string> names_;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> unreachable_ = false;

  absl::Mutex mutex_;
  std::vector<std::optional<Outcome>> outcomes_ ABSL_GUARDED_BY(mutex_);
  ProgressBar progress_ ABSL_GUARDED_BY(mutex_);
  size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t reported_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t grounded_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t failed_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status server_status_ ABSL_GUARDED_BY(mutex_);
  nlohmann::ordered_json document_ ABSL_GUARDED_BY(mutex_) = nlohmann::ordered_json::array();
};

int RunGround(const GroundFlags& flags, const Console& console) {
  const auto client = Connect(flags.server);
  if (!client.ok()) {
    console.err << "objectdino: " << ErrorText(client.status()) << "\n";
    return kExitUsage;
  }
  for (const std::string& folder : {flags.json_folder, flags.overlay_folder, flags.mask_folder}) {
    std::error_code error;
    if (!folder.empty()) fs::create_directories(folder, error);
    if (error) {
      console.err << absl::StrCat("objectdino: ", folder, ": cannot be made: ", error.message(),
                                  "\n");
      return kExitUsage;
    }
  }
  return GroundRun(flags, **client, console).Run();
}

}  // namespace

Command AddGroundCommand(CLI::App& program) {
  auto flags = std::make_shared<GroundFlags>();
  CLI::App* parser = program.add_subcommand("ground", "Finds the objects in images");
  parser->add_option("IMAGE", flags->paths, "JPEG, PNG or WebP files, or folders of them")
      ->required()
      ->option_text("...");
  AddServerFlags(*parser, flags->server);
  parser->add_flag("--json", flags->json,
                   "One JSON document on the standard output: a list, one entry an image");
  parser->add_option("--json-dir", flags->json_folder, "Writes DIR/NAME.json for each image")
      ->type_name("DIR");
  parser
      ->add_option("--overlay", flags->overlay_folder, "Draws DIR/NAME.overlay.png for each image")
      ->type_name("DIR");
  parser
      ->add_option("--masks", flags->mask_folder,
                   "Writes DIR/NAME.0.png and so on, one mask an object: 255 inside, 0 outside")
      ->type_name("DIR");
  AddChoice<v1::MaskRefinement>(
      *parser, "--mask-refinement", flags->mask_refinement,
      {{"none", v1::MASK_REFINEMENT_NONE}, {"edge_aware", v1::MASK_REFINEMENT_EDGE_AWARE}},
      "Where the masks' borders lie: on patches or on edges of the image");
  parser->add_option("--concurrency", flags->concurrency, "Images in work at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str()
      ->type_name("N");
  AddMethodFlags(*parser, flags->method);
  parser->add_option("--max-objects", flags->max_objects, "Most objects of an image")
      ->type_name("N");
  parser->add_option("--min-score", flags->min_score, "Leaves out objects that score less, 0 .. 1")
      ->type_name("X");
  parser->add_flag("--proposals", flags->proposals,
                   "Adds proposals: finds more objects, and more that are none");
  parser->add_flag("--mirror", flags->mirror,
                   "Looks at the mirror image, too: twice the time, the same answer for both");
  AddChoice<v1::EmbeddingSource>(*parser, "--embeddings", flags->embeddings,
                                 {{"final_layer", v1::EMBEDDING_SOURCE_FINAL_LAYER},
                                  {"object_heads", v1::EMBEDDING_SOURCE_OBJECT_HEADS}},
                                 "What the embeddings in --json are made of");
  return {parser, [flags](const Console& console) { return RunGround(*flags, console); }};
}

}  // namespace objectdino
