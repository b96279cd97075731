// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/commands/run.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "nlohmann/json.hpp"

#include "client/cpp/image_files.h"
#include "client/cpp/overlay.h"
#include "core/image/decode.h"
#include "core/math/rle.h"
#include "tests/client/fake_server.h"
#include "tests/client/head_answers.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using testing::FakeServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kBadBytes[] = "no image";

// Answers every image but kBadBytes with one object; image size 12 x 10.
grpc::Status AnswerWithOneObject(grpc::ServerContext&, const v1::GroundRequest& request,
                                 v1::GroundResponse& response) {
  if (request.image().encoded() == kBadBytes) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "not a\nJPEG"};
  }
  response.mutable_image()->set_width(12);
  response.mutable_image()->set_height(10);
  response.mutable_grid()->set_rows(2);
  response.mutable_grid()->set_cols(2);
  response.mutable_grid()->mutable_content()->set_x2(12);
  response.mutable_grid()->mutable_content()->set_y2(10);
  response.set_method(request.options().method());
  v1::GroundedObject* object = response.add_objects();
  object->set_score(0.5F);
  object->mutable_box()->set_x2(6);
  object->mutable_box()->set_y2(5);
  return grpc::Status::OK;
}

class RunTest : public ::testing::Test {
 protected:
  RunTest() : server_(AnswerWithOneObject) {
    folder_ =
        fs::path(::testing::TempDir()) /
        ("run_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    png_ = *EncodePng({10, 12, std::vector<uint8_t>(360, 100)});
  }
  ~RunTest() override { fs::remove_all(folder_); }

  std::string AddFile(const std::string& name, const std::string& bytes) {
    EXPECT_TRUE(WriteFile(folder_ / name, bytes).ok());
    return (folder_ / name).string();
  }

  int Run(std::vector<std::string> arguments, bool terminal = false) {
    out_.str("");
    err_.str("");
    return RunObjectdino(std::move(arguments), {out_, err_, terminal, interrupted_});
  }

  int Ground(std::vector<std::string> arguments, bool terminal = false) {
    arguments.insert(arguments.begin(), {"ground", "--server", server_.address()});
    return Run(std::move(arguments), terminal);
  }

  static long Lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

  FakeServer server_;
  fs::path folder_;
  std::string png_;
  std::ostringstream out_;
  std::ostringstream err_;
  std::atomic<bool> interrupted_ = false;
};

TEST_F(RunTest, Verify_BoxesThenPoints_AreScoredInThatOrder) {
  const std::string file = AddFile("a.png", png_);
  EXPECT_EQ(Run({"verify", "--server", server_.address(), "--point", "3,4.5", "--box", "1,2,3,4",
                 "--box", "5,6,7.5,8", file, "--json", "--method", "lost"}),
            kExitOk)
      << err_.str();
  const auto document = nlohmann::json::parse(out_.str());
  EXPECT_EQ(document["file"], file);
  ASSERT_EQ(document["scores"].size(), 3U);
  EXPECT_EQ(document["scores"][1]["box"]["x2"], 7.5);
  EXPECT_EQ(document["scores"][2]["score"], 0.25);
  EXPECT_EQ(document["grounding"]["method"], "METHOD_LOST");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(RunTest, Verify_Table_HasALineARegion) {
  const std::string file = AddFile("a.png", png_);
  EXPECT_EQ(Run({"verify", file, "--server", server_.address(), "--box", "1,2,3,4"}), kExitOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("a.png  12x10"), HasSubstr(" covered ")));
}

TEST_F(RunTest, Verify_BadArguments_AreWrongUsage) {
  const std::string file = AddFile("a.png", png_);
  const std::vector<std::string> none;
  for (const std::vector<std::string>& regions : {none,
                                                  {"--box", "1,2,3"},
                                                  {"--box", "1,2,3,x"},
                                                  {"--box", "1,2,3,inf"},
                                                  {"--point", "1"},
                                                  {"--point", "1,2,3"}}) {
    std::vector<std::string> arguments = {"verify", file, "--server", server_.address()};
    arguments.insert(arguments.end(), regions.begin(), regions.end());
    EXPECT_EQ(Run(arguments), kExitUsage) << ::testing::PrintToString(regions);
    EXPECT_THAT(err_.str(), StartsWith("objectdino: "));
    EXPECT_EQ(Lines(err_.str()), 1);
  }
  EXPECT_EQ(server_.calls(), 0);
}

TEST_F(RunTest, Verify_Refused_IsAnErrorInTheDocument) {
  const std::string file = AddFile("a.png", kBadBytes);
  EXPECT_EQ(Run({"verify", file, "--server", server_.address(), "--box", "1,2,3,4", "--json"}),
            kExitFailed);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["error"]["code"], "INVALID_ARGUMENT");
  EXPECT_THAT(err_.str(), HasSubstr("not a JPEG"));
}

TEST_F(RunTest, Ground_OneImage_TableOnStdoutNothingElse) {
  EXPECT_EQ(Ground({AddFile("a.png", png_)}), kExitOk);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("a.png  12x10"), HasSubstr(" 0.50 "), Not(HasSubstr("1 image"))));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(RunTest, Ground_Json_OneDocumentOfAllImagesInOrder) {
  const std::string b = AddFile("b.png", png_);
  const std::string bad = AddFile("bad.png", kBadBytes);
  const std::string a = AddFile("a.png", png_);
  EXPECT_EQ(Ground({b, bad, a, "--json", "--concurrency", "3"}), kExitFailed);
  const auto document = nlohmann::json::parse(out_.str());
  ASSERT_EQ(document.size(), 3U);
  EXPECT_EQ(document[0]["file"], b);
  EXPECT_EQ(document[0]["objects"][0]["box"]["x2"], 6);
  EXPECT_EQ(document[1]["file"], bad);
  EXPECT_EQ(document[1]["error"]["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(document[2]["file"], a);
  EXPECT_THAT(err_.str(), HasSubstr("3 images: 2 grounded, 1 failed\n"));
}

TEST_F(RunTest, Ground_FolderWithBadFile_GoesOnAndSaysSoOnOneLine) {
  AddFile("a.png", png_);
  const std::string bad = AddFile("b.png", kBadBytes);
  AddFile("c.png", png_);
  EXPECT_EQ(Ground({folder_.string()}), kExitFailed);
  EXPECT_EQ(err_.str(), "objectdino: " + bad + ": INVALID_ARGUMENT: not a JPEG\n");
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("c.png  12x10"), EndsWith("3 images: 2 grounded, 1 failed\n")));
}

TEST_F(RunTest, Ground_MissingFile_NameAndReason) {
  EXPECT_EQ(Ground({"none.jpg"}), kExitFailed);
  EXPECT_EQ(err_.str(),
            "objectdino: none.jpg: NOT_FOUND: cannot be read: No such file or directory\n");
}

TEST_F(RunTest, Ground_OverlayAndJsonFolders_FilesOfEveryImageEvenWithTheSameStem) {
  const std::string a = AddFile("a.png", png_);
  const std::string b = AddFile("a.jpg", png_);
  const fs::path out = folder_ / "new" / "out";
  EXPECT_EQ(Ground({a, b, "--overlay", out.string(), "--json-dir", out.string()}), kExitOk);
  for (const char* name : {"a.png.overlay.png", "a.jpg.overlay.png", "a.png.json", "a.jpg.json"}) {
    EXPECT_TRUE(fs::exists(out / name)) << name;
  }
  EXPECT_THAT(out_.str(), HasSubstr("overlay " + (out / "a.png.overlay.png").string() + "\n"));
  EXPECT_EQ(nlohmann::json::parse(*ReadImageFile((out / "a.jpg.json").string()))["file"], b);
}

TEST_F(RunTest, Ground_Masks_AsksForThemAndWritesOneFileAnObject) {
  const std::vector<uint8_t> mask = {0, 1, 1, 0, 0, 1};
  FakeServer server(
      [&](grpc::ServerContext&, const v1::GroundRequest& request, v1::GroundResponse& response) {
        const auto& outputs = request.options().outputs();
        response.mutable_image()->set_height(2);
        response.mutable_image()->set_width(3);
        for (int i = 0;
             i < 2 && std::count(outputs.begin(), outputs.end(), v1::OUTPUT_PIXEL_MASKS) > 0; ++i) {
          v1::GroundedObject* object = response.add_objects();
          object->set_index(i);
          object->mutable_pixel_mask()->set_height(2);
          object->mutable_pixel_mask()->set_width(3);
          object->mutable_pixel_mask()->set_coco_rle(EncodeCocoRle(mask, 2, 3));
        }
        return grpc::Status::OK;
      });
  const fs::path out = folder_ / "new" / "out";
  const std::string png = *EncodePng({2, 3, std::vector<uint8_t>(18, 100)});
  EXPECT_EQ(
      Run({"ground", "--server", server.address(), AddFile("a.png", png), "--masks", out.string()}),
      kExitOk);
  for (const char* name : {"a.0.png", "a.1.png"}) {
    EXPECT_THAT(out_.str(), HasSubstr("  mask " + (out / name).string() + "\n"));
    const auto bytes = ReadImageFile((out / name).string());
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto decoded = DecodeImage(*bytes, {});
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    ASSERT_EQ(decoded->image.rgb.size(), 18U);
    for (size_t i = 0; i < mask.size(); ++i) EXPECT_EQ(decoded->image.rgb[3 * i], mask[i] * 255);
  }
}

TEST_F(RunTest, Ground_MaskOfAnotherSize_FailsThatImage) {
  FakeServer server(
      [](grpc::ServerContext&, const v1::GroundRequest&, v1::GroundResponse& response) {
        response.mutable_image()->set_height(10);
        response.mutable_image()->set_width(12);
        response.add_objects()->mutable_pixel_mask()->set_height(2);
        return grpc::Status::OK;
      });
  EXPECT_EQ(Run({"ground", "--server", server.address(), AddFile("a.png", png_), "--masks",
                 folder_.string()}),
            kExitFailed);
  EXPECT_THAT(err_.str(), HasSubstr("INVALID_ARGUMENT: an object's mask is 2x0"));
}

TEST_F(RunTest, Ground_OverlayFolderCannotBeMade_UsageErrorBeforeAnyCall) {
  const std::string file = AddFile("a.png", png_);
  EXPECT_EQ(Ground({file, "--overlay", file}), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("cannot be made"));
  EXPECT_EQ(server_.calls(), 0);
}

TEST_F(RunTest, Ground_MethodByName_SentToTheServer) {
  EXPECT_EQ(Ground({AddFile("a.png", png_), "--json", "--method", "object_dino_paper"}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())[0]["method"], "METHOD_OBJECT_DINO_PAPER");
}

TEST_F(RunTest, Ground_Options_AllReachTheServer) {
  v1::GroundOptions seen;
  const FakeServer server([&](auto&, const v1::GroundRequest& request, auto&) {
    seen = request.options();
    return grpc::Status::OK;
  });
  EXPECT_EQ(Run({"ground",
                 AddFile("a.png", png_),
                 "--server",
                 server.address(),
                 "--max-objects",
                 "3",
                 "--min-score",
                 "0.25",
                 "--input-size",
                 "518",
                 "--resize-mode",
                 "aspect",
                 "--heads",
                 "preset",
                 "--clusters",
                 "7",
                 "--components",
                 "k,q",
                 "--layer-scope",
                 "last_layer",
                 "--temperature",
                 "0.5",
                 "--affinity-threshold",
                 "-0.25"}),
            kExitOk);
  EXPECT_EQ(seen.max_objects(), 3U);
  EXPECT_EQ(seen.min_score(), 0.25F);
  EXPECT_EQ(seen.input_size(), 518U);
  EXPECT_EQ(seen.resize_mode(), v1::RESIZE_MODE_ASPECT);
  EXPECT_EQ(seen.head_selection(), v1::HEAD_SELECTION_PRESET);
  EXPECT_EQ(seen.clusters(), 7U);
  EXPECT_THAT(seen.components(),
              ElementsAre(v1::ATTENTION_COMPONENT_KEY, v1::ATTENTION_COMPONENT_QUERY));
  EXPECT_EQ(seen.layer_scope(), v1::LAYER_SCOPE_LAST_LAYER);
  EXPECT_EQ(seen.temperature(), 0.5F);
  EXPECT_EQ(seen.affinity_threshold(), -0.25F);
}

TEST_F(RunTest, Ground_ImageAfterComponents_IsAnImage) {
  EXPECT_EQ(Ground({"--components", "k,q", AddFile("a.png", png_)}), kExitOk);
  EXPECT_EQ(server_.calls(), 1);
}

TEST_F(RunTest, Ground_UnknownComponent_UsageErrorBeforeAnyCall) {
  EXPECT_EQ(Ground({AddFile("a.png", png_), "--components", "q,x"}), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("x"));
  EXPECT_EQ(Lines(err_.str()), 1);
  EXPECT_EQ(server_.calls(), 0);
}

TEST_F(RunTest, Ground_NoOptions_AllLeftToTheServer) {
  v1::GroundOptions seen;
  const FakeServer server([&](auto&, const v1::GroundRequest& request, auto&) {
    seen = request.options();
    return grpc::Status::OK;
  });
  EXPECT_EQ(Run({"ground", AddFile("a.png", png_), "--server", server.address()}), kExitOk);
  EXPECT_EQ(seen.ByteSizeLong(), 0U) << seen.DebugString();
}

TEST_F(RunTest, Ground_ServerUnreachable_OneLineAndRestNotTried) {
  std::string address;
  { address = FakeServer(AnswerWithOneObject).address(); }
  const std::string a = AddFile("a.png", png_);
  EXPECT_EQ(Run({"ground", a, a, a, "--server", address}), kExitUnreachable);
  EXPECT_THAT(err_.str(), StartsWith("objectdino: " + address + ": UNAVAILABLE: "));
  EXPECT_EQ(Lines(err_.str()), 1);
  EXPECT_EQ(out_.str(), "");
}

TEST_F(RunTest, Ground_Interrupted_SummaryAndExit130) {
  const FakeServer server([&](grpc::ServerContext& context, const auto& request, auto& response) {
    interrupted_ = true;  // while the first image is in work
    return AnswerWithOneObject(context, request, response);
  });
  const std::string a = AddFile("a.png", png_);
  EXPECT_EQ(Run({"ground", a, a, a, "--server", server.address()}), kExitInterrupted);
  EXPECT_EQ(server.calls(), 1);
  EXPECT_THAT(out_.str(), EndsWith("3 images: 1 grounded, 0 failed, 2 left out\n"));
}

TEST_F(RunTest, Ground_SeveralImagesOnATerminal_ProgressBarOnStderr) {
  const std::string a = AddFile("a.png", png_);
  EXPECT_EQ(Ground({a, a}, /*terminal=*/true), kExitOk);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("] 1/2 a.png"), HasSubstr("] 2/2 a.png")));
  EXPECT_THAT(out_.str(), Not(HasSubstr("1/2")));
}

TEST_F(RunTest, Ground_Timeout_DeadlineExceededNamesTheFile) {
  const FakeServer server([](grpc::ServerContext& context, auto&, auto&) {
    while (!context.IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  });
  const std::string a = AddFile("a.png", png_);
  EXPECT_EQ(Run({"ground", a, "--server", server.address(), "--timeout", "0.05"}), kExitFailed);
  EXPECT_THAT(err_.str(), StartsWith("objectdino: " + a + ": DEADLINE_EXCEEDED: "));
}

// Answers with the heads of HeadResponse; image size 12 x 10.
grpc::Status AnswerWithHeads(grpc::ServerContext&, const v1::GroundRequest& request,
                             v1::GroundResponse& response) {
  if (request.image().encoded() == kBadBytes) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "not a\nJPEG"};
  }
  response = testing::HeadResponse();
  return grpc::Status::OK;
}

TEST_F(RunTest, Heads_Image_TableOnStdout) {
  const FakeServer server(AnswerWithHeads);
  const std::string a = AddFile("a.png", png_);
  EXPECT_EQ(Run({"heads", a, "--server", server.address()}), kExitOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("a.png  12x10"), HasSubstr("      1   2   0   0\n"),
                                EndsWith("object-centric 0.1 1.1 1.2\n")));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(RunTest, Heads_Out_PngOfTheSheetAndItsPath) {
  const FakeServer server(AnswerWithHeads);
  const std::string a = AddFile("a.png", png_);
  const std::string sheet = (folder_ / "sheet.png").string();
  EXPECT_EQ(Run({"heads", a, "--out", sheet, "--server", server.address()}), kExitOk);
  EXPECT_THAT(out_.str(), EndsWith("  sheet " + sheet + "\n"));
  const auto drawn = DecodeImage(*ReadImageFile(sheet), {});
  ASSERT_TRUE(drawn.ok()) << drawn.status();
  const int all = drawn->image.width;
  EXPECT_EQ(Run({"heads", a, "--out", sheet, "--component", "k", "--server", server.address()}),
            kExitOk);
  EXPECT_LT(DecodeImage(*ReadImageFile(sheet), {})->image.width, all);
}

TEST_F(RunTest, Heads_Json_OneDocumentWithTheAnalysis) {
  const FakeServer server(AnswerWithHeads);
  const std::string a = AddFile("a.png", png_);
  const std::string sheet = (folder_ / "sheet.png").string();
  EXPECT_EQ(Run({"heads", a, "--json", "--out", sheet, "--server", server.address()}), kExitOk);
  const auto document = nlohmann::json::parse(out_.str());
  EXPECT_EQ(document["file"], a);
  EXPECT_EQ(document["head_analysis"]["clusters"], (std::vector<int>{1, 0, 1, 2, 0, 0}));
  EXPECT_EQ(err_.str(), "  sheet " + sheet + "\n");
}

TEST_F(RunTest, Heads_Options_HeadsInFullPrecisionAndTheMethodFlags) {
  v1::GroundOptions seen;
  const FakeServer server([&](auto& context, const v1::GroundRequest& request, auto& response) {
    seen = request.options();
    return AnswerWithHeads(context, request, response);
  });
  EXPECT_EQ(Run({"heads", AddFile("a.png", png_), "--server", server.address(), "--method",
                 "object_dino_paper", "--heads", "clustered", "--clusters", "7", "--input-size",
                 "448", "--resize-mode", "aspect"}),
            kExitOk);
  EXPECT_THAT(seen.outputs(), ::testing::ElementsAre(v1::OUTPUT_HEADS));
  EXPECT_EQ(seen.embedding_dtype(), v1::DATA_TYPE_F32);
  EXPECT_EQ(seen.method(), v1::METHOD_OBJECT_DINO_PAPER);
  EXPECT_EQ(seen.head_selection(), v1::HEAD_SELECTION_CLUSTERED);
  EXPECT_EQ(seen.clusters(), 7U);
  EXPECT_EQ(seen.input_size(), 448U);
  EXPECT_EQ(seen.resize_mode(), v1::RESIZE_MODE_ASPECT);
}

TEST_F(RunTest, Heads_BadImage_OneLineAndExit1EvenWithJson) {
  const FakeServer server(AnswerWithHeads);
  const std::string bad = AddFile("bad.png", kBadBytes);
  EXPECT_EQ(Run({"heads", bad, "--json", "--server", server.address()}), kExitFailed);
  EXPECT_EQ(err_.str(), "objectdino: " + bad + ": INVALID_ARGUMENT: not a JPEG\n");
  EXPECT_EQ(nlohmann::json::parse(out_.str())["error"]["code"], "INVALID_ARGUMENT");
}

TEST_F(RunTest, Heads_AnswerWithoutAnalysis_InvalidArgument) {
  EXPECT_EQ(Run({"heads", AddFile("a.png", png_), "--server", server_.address()}), kExitFailed);
  EXPECT_THAT(err_.str(), HasSubstr("INVALID_ARGUMENT: the answer has no head analysis"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(RunTest, Heads_SheetCannotBeWritten_Exit1) {
  const FakeServer server(AnswerWithHeads);
  const std::string a = AddFile("a.png", png_);
  EXPECT_EQ(Run({"heads", a, "--server", server.address(), "--out",
                 (folder_ / "none" / "sheet.png").string()}),
            kExitFailed);
  EXPECT_THAT(err_.str(), HasSubstr("cannot be written"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(RunTest, Heads_Unreachable_Exit3) {
  std::string address;
  { address = FakeServer(AnswerWithHeads).address(); }
  EXPECT_EQ(Run({"heads", AddFile("a.png", png_), "--server", address}), kExitUnreachable);
  EXPECT_THAT(err_.str(), StartsWith("objectdino: " + address + ": UNAVAILABLE: "));
  EXPECT_EQ(Lines(err_.str()), 1);
}

TEST_F(RunTest, Heads_Interrupted_Exit130AfterTheImageInWork) {
  const FakeServer server([&](auto& context, const auto& request, auto& response) {
    interrupted_ = true;
    return AnswerWithHeads(context, request, response);
  });
  EXPECT_EQ(Run({"heads", AddFile("a.png", png_), "--server", server.address()}), kExitInterrupted);
  EXPECT_THAT(out_.str(), HasSubstr("object-centric"));
}

TEST_F(RunTest, Arguments_Wrong_OneLineAndExit2) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"paint"},
      {"ground"},
      {"ground", "a.jpg", "--colour"},
      {"ground", "a.jpg", "--method", "magic"},
      {"ground", "a.jpg", "--max-objects", "-1"},
      {"ground", "a.jpg", "--max-objects", "many"},
      {"ground", "a.jpg", "--concurrency", "0"},
      {"ground", "a.jpg", "--timeout", "0"},
      {"ground", "a.jpg", "--timeout", "inf"},
      {"ground", "a.jpg", "--timeout", "nan"},
      {"ground", "a.jpg", "--server", ""},
      {"heads"},
      {"heads", "a.jpg", "b.jpg"},
      {"heads", "a.jpg", "--component", "w"},
      {"heads", "a.jpg", "--clusters", "-1"},
      {"heads", "a.jpg", "--max-objects", "3"},
      {"health", "now"},
  };
  for (const auto& arguments : cases) {
    EXPECT_EQ(Run(arguments), kExitUsage) << ::testing::PrintToString(arguments);
    EXPECT_THAT(err_.str(), StartsWith("objectdino: "));
    EXPECT_EQ(Lines(err_.str()), 1) << err_.str();
    EXPECT_EQ(out_.str(), "");
  }
}

TEST_F(RunTest, Help_AnyCommand_DocumentsTheExitCodes) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"ground", "--help"}, {"heads", "--help"}}) {
    EXPECT_EQ(Run(arguments), kExitOk);
    EXPECT_THAT(out_.str(),
                AllOf(HasSubstr("Exit codes:"), HasSubstr("  3 "), HasSubstr("  130 ")));
  }
}

TEST_F(RunTest, Version_Flag_NameAndNumber) {
  EXPECT_EQ(Run({"--version"}), kExitOk);
  EXPECT_THAT(out_.str(), ::testing::MatchesRegex("objectdino [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(RunTest, Info_Json_Document) {
  EXPECT_EQ(Run({"info", "--json", "--server", server_.address()}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["model"]["name"], "fake");
}

TEST_F(RunTest, Info_Text_ModelAndMethods) {
  EXPECT_EQ(Run({"info", "--server", server_.address()}), kExitOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("fake"), HasSubstr("object_dino")));
}

TEST_F(RunTest, Health_Serving_Exit0) {
  EXPECT_EQ(Run({"health", "--server", server_.address()}), kExitOk);
  EXPECT_EQ(out_.str(), "SERVING\n");
}

TEST_F(RunTest, Health_NotServing_Exit1) {
  server_.health = grpc::health::v1::HealthCheckResponse::NOT_SERVING;
  EXPECT_EQ(Run({"health", "--server", server_.address()}), kExitFailed);
  EXPECT_EQ(out_.str(), "NOT_SERVING\n");
}

TEST_F(RunTest, Health_Unreachable_Exit3) {
  std::string address;
  { address = FakeServer(AnswerWithOneObject).address(); }
  EXPECT_EQ(Run({"health", "--server", address}), kExitUnreachable);
}

}  // namespace
}  // namespace objectdino
