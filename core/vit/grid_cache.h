// SPDX-License-Identifier: Apache-2.0
// What positions make of the last few patch grids.
//
// Thread-safety: Get may run concurrently. Cost: one computation for a grid not among the last few.
#ifndef OBJECTDINO_CORE_VIT_GRID_CACHE_H_
#define OBJECTDINO_CORE_VIT_GRID_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"

#include "core/base/mutex.h"

namespace objectdino {

// Value: cheap to copy, never changed after it was made.
template <typename Value>
class GridCache {
 public:
  // compute(rows, cols), or what it returned for the same grid before.
  template <typename Compute>
  Value Get(int64_t rows, int64_t cols, const Compute& compute) const {
    const Grid grid{rows, cols};
    {
      const MutexLock lock(mutex_);
      for (const auto& [cached_grid, value] : values_) {
        if (cached_grid == grid) return value;
      }
    }
    // Unlocked: two threads may compute the same grid, which costs less than one waiting for the
    // other.
    Value value = compute(rows, cols);
    const MutexLock lock(mutex_);
    values_.emplace_back(grid, value);
    if (values_.size() > kGrids) values_.pop_front();
    return value;
  }

 private:
  using Grid = std::pair<int64_t, int64_t>;
  static constexpr size_t kGrids = 8;  // of 2 MB each at D = 384 and 1370 tokens

  mutable Mutex mutex_;
  mutable std::deque<std::pair<Grid, Value>> values_ ABSL_GUARDED_BY(mutex_);  // newest last
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_GRID_CACHE_H_
