// SPDX-License-Identifier: Apache-2.0
#ifndef OBJECTDINO_SERVER_VERSION_H_
#define OBJECTDINO_SERVER_VERSION_H_

namespace objectdino {

// Of the build, from the file VERSION.
extern const char* const kVersion;

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_VERSION_H_
