// SPDX-License-Identifier: Apache-2.0
// The parts that a sheet of attention heads is made of. Only for the sheet's own files: this header
// shows OpenCV. Thread-safety: pure functions on a canvas of the caller's, CV_8UC3 in RGB.
#ifndef OBJECTDINO_CLIENT_CPP_HEADS_TILE_H_
#define OBJECTDINO_CLIENT_CPP_HEADS_TILE_H_

#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include "client/cpp/head_answer.h"
#include "client/cpp/heads_sheet.h"

namespace objectdino {

// Pixels.
inline constexpr int kStrongFrame = 5;
inline constexpr int kThinFrame = 3;
inline constexpr int kTilePadding = kStrongFrame + 3;  // from a tile's edge to its maps
inline constexpr int kTextHeight = 11;                 // of a capital
inline constexpr int kLineHeight = 22;                 // from one line of text to the next

inline const cv::Scalar kInk(40, 40, 40);
inline const cv::Scalar kPaleInk(110, 110, 110);
inline const cv::Scalar kPaper(255, 255, 255);

// Heads with one kind of frame: a cluster; without clusters the object-centric heads and the rest.
struct HeadGroup {
  std::string name;
  cv::Scalar colour;
  bool object_centric = false;
  std::vector<int> heads;  // ascending; never empty
};

// The object-centric group first.
std::vector<HeadGroup> GroupsOf(const HeadAnswer& answer);

// The mean over `heads` of the map that `component` names; kAll as kMean. [rows, cols]
std::vector<double> MeanMap(const HeadAnswer& answer, const std::vector<int>& heads,
                            HeadComponent component);

// The size in pixels of a map whose longer side is about `side`; a patch is a square of a whole
// number of pixels.
cv::Size MapSize(const HeadAnswer& answer, int side);

// `levels`: CV_8UC1.
cv::Mat Viridis(const cv::Mat& levels);

// Fills `target` with the map `values` [rows, cols], coloured from its least to its largest value.
void DrawMap(const std::vector<double>& values, const HeadAnswer& answer, cv::Mat target);

// Along the edge of `tile`, which lies on the canvas; what is inside becomes white.
void DrawFrame(const cv::Rect& tile, const HeadGroup& group, cv::Mat& canvas);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_HEADS_TILE_H_
