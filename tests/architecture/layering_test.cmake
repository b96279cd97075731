# cmake -D MODULES=... -D LIBRARY=name "-DLINKS=a;b" -P layering_test.cmake: fails where the rules forbid the links.
cmake_minimum_required(VERSION 3.25)
include(${MODULES}/Layering.cmake)
set_property(GLOBAL PROPERTY OBJECTDINO_LIBRARIES ${LIBRARY})
set_property(GLOBAL PROPERTY OBJECTDINO_LINKS_${LIBRARY} ${LINKS})
set_property(GLOBAL PROPERTY OBJECTDINO_PUBLIC_LINKS_${LIBRARY} ${PUBLIC_LINKS})
objectdino_check_layers()
message(STATUS "links are allowed")
