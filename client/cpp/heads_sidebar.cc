// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/heads_sidebar.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include <opencv2/imgproc.hpp>

#include "client/cpp/response_text.h"
#include "client/cpp/sheet_text.h"

namespace objectdino {
namespace {

// Pixels.
constexpr int kWidth = 250;
constexpr int kLegendMapSide = 48;  // longer side of a map, about
constexpr int kSwatchWidth = 34;
constexpr int kLegendGap = 4;
constexpr size_t kMaxLegendMaps = 12;  // a legend of more groups shows no mean maps

// Writes and draws from the top down; the canvas grows with it.
class Sidebar {
 public:
  void Photograph(const Image& image) {
    const double scale = double{1} * kWidth / std::max(image.height, image.width);
    const cv::Size size(std::max(1, cvRound(image.width * scale)),
                        std::max(1, cvRound(image.height * scale)));
    // OpenCV takes a const image through a non-const pointer; it is only read.
    const cv::Mat pixels(image.height, image.width, CV_8UC3,
                         const_cast<uint8_t*>(image.rgb.data()));
    cv::Mat strip = Strip(size.height);
    cv::resize(pixels, strip(cv::Rect({(kWidth - size.width) / 2, 0}, size)), size, 0, 0,
               scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  }

  void Line(const std::string& text, const cv::Scalar& colour = kInk) {
    cv::Mat strip = Strip(kLineHeight);
    DrawText(FitText(text, kTextHeight, kWidth), kTextHeight, 0, kTextHeight + 3, colour, strip);
  }

  void Space() { Strip(kLineHeight / 2); }

  // A group's frame around its mean map, or around nothing, its name, how many heads there are.
  void Legend(const HeadAnswer& answer, const HeadGroup& group, HeadComponent component,
              bool with_map) {
    const cv::Size map =
        with_map ? MapSize(answer, kLegendMapSide)
                 : cv::Size(kSwatchWidth - 2 * kTilePadding, kTextHeight + 7 - 2 * kTilePadding);
    const cv::Rect tile(0, 0, map.width + 2 * kTilePadding, map.height + 2 * kTilePadding);
    cv::Mat strip = Strip(std::max(tile.height, kTextHeight + 6) + kLegendGap);
    DrawFrame(tile, group, strip);
    if (with_map) {
      DrawMap(MeanMap(answer, group.heads, component), answer,
              strip(cv::Rect({kTilePadding, kTilePadding}, map)));
    }
    const int baseline = (std::max(tile.height, kTextHeight + 6) + kTextHeight) / 2;
    const std::string count = absl::StrCat(group.heads.size());
    const int left = tile.width + 10;
    const int right = kWidth - TextWidth(count, kTextHeight);
    DrawText(FitText(group.name, kTextHeight, right - left - 10), kTextHeight, left, baseline, kInk,
             strip);
    DrawText(count, kTextHeight, right, baseline, kInk, strip);
  }

  void ColourBar() {
    cv::Mat levels(1, kWidth, CV_8UC1);
    for (int x = 0; x < kWidth; ++x) {
      levels.at<uint8_t>(0, x) = static_cast<uint8_t>(255 * x / (kWidth - 1));
    }
    cv::resize(Viridis(levels), Strip(kTextHeight), {kWidth, kTextHeight}, 0, 0, cv::INTER_NEAREST);
    cv::Mat strip = Strip(kLineHeight);
    DrawText("least", kTextHeight, 0, kTextHeight + 6, kPaleInk, strip);
    DrawText("largest", kTextHeight, kWidth - TextWidth("largest", kTextHeight), kTextHeight + 6,
             kPaleInk, strip);
  }

  cv::Mat Drawn() const {
    cv::Mat canvas;
    cv::vconcat(strips_, canvas);
    return canvas;
  }

 private:
  // White, below all others.
  cv::Mat Strip(int height) {
    strips_.emplace_back(height, kWidth, CV_8UC3, kPaper);
    return strips_.back();
  }

  std::vector<cv::Mat> strips_;
};

std::string ComponentText(HeadComponent component) {
  switch (component) {
    case HeadComponent::kQuery:
      return "of queries";
    case HeadComponent::kKey:
      return "of keys";
    case HeadComponent::kValue:
      return "of values";
    case HeadComponent::kMean:
      return "mean of q, k and v";
    case HeadComponent::kAll:
      return "of queries, keys, values";
  }
  return "";
}

}  // namespace

cv::Mat DrawHeadsSidebar(const Image& image, const v1::GroundResponse& response,
                         const HeadAnswer& answer, const std::vector<HeadGroup>& groups,
                         HeadComponent component) {
  const cv::Size map = MapSize(answer, kLegendMapSide);
  const bool with_maps =
      groups.size() <= kMaxLegendMaps && std::max(map.width, map.height) <= kWidth / 2;
  Sidebar sidebar;
  sidebar.Photograph(image);
  sidebar.Space();
  sidebar.Line(response.model().name());
  sidebar.Line(MethodName(response.method()), kPaleInk);
  sidebar.Line(absl::StrFormat("%d layers x %d heads", answer.layers, answer.heads), kPaleInk);
  sidebar.Line(absl::StrFormat("%d x %d patches", answer.rows, answer.cols), kPaleInk);
  sidebar.Space();
  sidebar.Line("mean cosine to all patches");
  sidebar.Line(ComponentText(component), kPaleInk);
  sidebar.Line("each map scaled by itself", kPaleInk);
  sidebar.ColourBar();
  sidebar.Space();
  sidebar.Line(answer.clustered() ? absl::StrCat("heads by k-means, k = ", groups.size())
                                  : "heads preset");
  sidebar.Line(with_maps ? "mean map, number of heads" : "number of heads", kPaleInk);
  for (const HeadGroup& group : groups) sidebar.Legend(answer, group, component, with_maps);
  return sidebar.Drawn();
}

}  // namespace objectdino
