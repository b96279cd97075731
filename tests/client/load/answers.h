// SPDX-License-Identifier: Apache-2.0
// Requests for a transport, and what comes back of them.
#ifndef OBJECTDINO_TESTS_CLIENT_LOAD_ANSWERS_H_
#define OBJECTDINO_TESTS_CLIENT_LOAD_ANSWERS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"

#include "client/cpp/load/transport.h"
#include "client/cpp/load/workload.h"
#include "core/base/mutex.h"

namespace objectdino::testing {

inline std::unique_ptr<LoadRequest> MakeRequest(uint64_t id, const std::string& image = "image",
                                                size_t caller = 0) {
  auto request = std::make_unique<LoadRequest>();
  request->plan = Workload({image}, LoadOptions()).Next();
  request->id = id;
  request->caller = caller;
  return request;
}

// Thread-safe; outlives the transport.
class Answers {
 public:
  Transport::Done Collector() {
    return [this](std::unique_ptr<LoadRequest> request, LoadAnswer answer) {
      const MutexLock lock(mutex_);
      EXPECT_TRUE(answers_.emplace(request->id, std::move(answer)).second) << "done twice";
      changed_.NotifyAll();
    };
  }

  // By id, once there are `count`.
  std::map<uint64_t, LoadAnswer> Wait(size_t count) {
    const MutexLock lock(mutex_);
    while (answers_.size() < count) changed_.Wait(mutex_);
    return answers_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::map<uint64_t, LoadAnswer> answers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_CLIENT_LOAD_ANSWERS_H_
