// SPDX-License-Identifier: Apache-2.0
#include "server/version.h"

namespace objectdino {

const char* const kVersion = OBJECTDINO_VERSION;

}  // namespace objectdino
