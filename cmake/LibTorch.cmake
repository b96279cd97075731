# LibTorch out of the pinned pip wheel, as target objectdino_torch.
#
# The wheel's own TorchConfig.cmake is not used: for a CUDA wheel it insists on a CUDA toolkit, which running on
# such a wheel does not need. Private oneDNN ops are called through the dispatcher, so the version is checked.
set(OBJECTDINO_TORCH_VERSION 2.13.0)
set(OBJECTDINO_TORCH_ROOT "" CACHE PATH "LibTorch folder (with include/ and lib/), instead of a Python's torch package")

if(NOT OBJECTDINO_TORCH_ROOT)
  if(NOT OBJECTDINO_TORCH_PYTHON)
    set(OBJECTDINO_TORCH_PYTHON ${PROJECT_SOURCE_DIR}/.venv/bin/python)
  endif()
  execute_process(
    COMMAND ${OBJECTDINO_TORCH_PYTHON} -c
            "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE torch_root OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE torch_rc ERROR_QUIET)
  if(NOT torch_rc EQUAL 0)
    message(FATAL_ERROR "LibTorch not found: ${OBJECTDINO_TORCH_PYTHON} has no torch package. Run scripts/demo or "
                        "scripts/test once, or set OBJECTDINO_TORCH_PYTHON or OBJECTDINO_TORCH_ROOT.")
  endif()
else()
  set(torch_root ${OBJECTDINO_TORCH_ROOT})
endif()

file(READ ${torch_root}/include/torch/headeronly/version.h torch_version_header)
set(torch_version)
foreach(part MAJOR MINOR PATCH)
  string(REGEX MATCH "define TORCH_VERSION_${part} ([0-9]+)" unused "${torch_version_header}")
  list(APPEND torch_version "${CMAKE_MATCH_1}")
endforeach()
list(JOIN torch_version "." torch_version)
if(NOT torch_version VERSION_EQUAL OBJECTDINO_TORCH_VERSION)
  message(FATAL_ERROR "LibTorch ${OBJECTDINO_TORCH_VERSION} is needed, ${torch_root} holds '${torch_version}'.")
endif()

add_library(objectdino_torch INTERFACE)
target_include_directories(objectdino_torch SYSTEM INTERFACE ${torch_root}/include)
foreach(library torch_cpu c10)
  find_library(LIBTORCH_${library} ${library} PATHS ${torch_root}/lib NO_DEFAULT_PATH NO_CACHE REQUIRED)
  target_link_libraries(objectdino_torch INTERFACE ${LIBTORCH_${library}})
endforeach()
# A CUDA build of the wheel serves the CPU without its CUDA half, which needs gigabytes of other libraries at run time; so
# that half is linked on request only. Nothing calls it by symbol: it registers its kernels when it is loaded.
if(OBJECTDINO_CUDA)
  find_library(LIBTORCH_torch_cuda torch_cuda PATHS ${torch_root}/lib NO_DEFAULT_PATH NO_CACHE REQUIRED)
  target_link_options(objectdino_torch INTERFACE -Wl,--no-as-needed ${LIBTORCH_torch_cuda} -Wl,--as-needed)
endif()
# For cmake/Install.cmake.
set(OBJECTDINO_TORCH_LIBRARY_DIR ${torch_root}/lib)
file(GLOB OBJECTDINO_TORCH_LICENSES ${torch_root}-*.dist-info/licenses/LICENSE ${torch_root}-*.dist-info/licenses/NOTICE
     ${torch_root}/LICENSE ${torch_root}/NOTICE)
message(STATUS "LibTorch ${torch_version} in ${torch_root}")
