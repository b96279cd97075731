// SPDX-License-Identifier: Apache-2.0
// A progress bar of one line on a terminal. Own code, because Debian packages no C++ library for
// it.
//
// Thread-safety: none, the caller locks.
#ifndef OBJECTDINO_CLIENT_CPP_PROGRESS_BAR_H_
#define OBJECTDINO_CLIENT_CPP_PROGRESS_BAR_H_

#include <cstddef>
#include <ostream>
#include <string>

namespace objectdino {

class ProgressBar {
 public:
  // Draws nothing, ever, unless `enabled`. `out` outlives the bar.
  ProgressBar(std::ostream& out, size_t total, bool enabled)
      : out_(out), total_(total), enabled_(enabled) {}

  void Show(size_t done, const std::string& label);  // label: what was last done
  void Clear();                                      // before anything else is printed

 private:
  std::ostream& out_;
  size_t total_;
  bool enabled_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_PROGRESS_BAR_H_
