// SPDX-License-Identifier: Apache-2.0
// The left side of a sheet of attention heads: the photograph, what was computed, the legend. Only
// for heads_sheet.cc: this header shows OpenCV.
#ifndef OBJECTDINO_CLIENT_CPP_HEADS_SIDEBAR_H_
#define OBJECTDINO_CLIENT_CPP_HEADS_SIDEBAR_H_

#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include "client/cpp/head_answer.h"
#include "client/cpp/heads_sheet.h"
#include "client/cpp/heads_tile.h"
#include "core/image/image.h"
#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// CV_8UC3 in RGB, as high as it needs to be. Thread-safety: pure function.
cv::Mat DrawHeadsSidebar(const Image& image, const v1::GroundResponse& response,
                         const HeadAnswer& answer, const std::vector<HeadGroup>& groups,
                         HeadComponent component);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_HEADS_SIDEBAR_H_
