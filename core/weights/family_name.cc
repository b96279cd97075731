// SPDX-License-Identifier: Apache-2.0
#include "core/weights/family_name.h"

namespace objectdino {

const char* FamilyName(ModelFamily family) {
  switch (family) {
    case ModelFamily::kDino:
      return "dino";
    case ModelFamily::kDinov2:
      return "dinov2";
    case ModelFamily::kDinov3:
      return "dinov3";
  }
  return "";
}

}  // namespace objectdino
