# Compiler and linker flags as one INTERFACE target, never as globals.
add_library(objectdino_flags INTERFACE)
target_compile_options(objectdino_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized -Wno-error=array-bounds -Wno-error=stringop-overflow>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)

if(OBJECTDINO_SANITIZE)
  target_compile_options(objectdino_flags INTERFACE
    -fsanitize=${OBJECTDINO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(objectdino_flags INTERFACE -fsanitize=${OBJECTDINO_SANITIZE})
  if(OBJECTDINO_SANITIZE MATCHES "thread")
    # Eigen's thread pool has fences, which ThreadSanitizer does not model; its queues hand tasks over by atomics.
    target_compile_options(objectdino_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()

find_program(OBJECTDINO_MOLD mold)
if(OBJECTDINO_MOLD)
  target_link_options(objectdino_flags INTERFACE -fuse-ld=mold)
endif()
find_program(OBJECTDINO_CCACHE ccache)
if(OBJECTDINO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${OBJECTDINO_CCACHE})
endif()
