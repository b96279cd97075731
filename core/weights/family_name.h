// SPDX-License-Identifier: Apache-2.0
// What users read of a model's family. Thread-safety: pure function.
#ifndef OBJECTDINO_CORE_WEIGHTS_FAMILY_NAME_H_
#define OBJECTDINO_CORE_WEIGHTS_FAMILY_NAME_H_

#include "core/weights/model_config.h"

namespace objectdino {

// "dino", "dinov2" or "dinov3". Never null.
const char* FamilyName(ModelFamily family);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_FAMILY_NAME_H_
