# Every third-party library, found once. ARCHITECTURE.md says why each is here.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(Eigen3 CONFIG REQUIRED)
find_package(pugixml CONFIG REQUIRED)
find_package(tomlplusplus CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)

# Spectra is headers only; Debian ships no CMake package for it on every release.
find_path(SPECTRA_INCLUDE_DIR Spectra/SymEigsSolver.h REQUIRED)
add_library(objectdino_spectra INTERFACE)
target_include_directories(objectdino_spectra SYSTEM INTERFACE ${SPECTRA_INCLUDE_DIR})
target_link_libraries(objectdino_spectra INTERFACE Eigen3::Eigen)

# The three OpenCV component packages come without OpenCVConfig.cmake, unlike the whole libopencv-dev.
find_path(OPENCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
add_library(objectdino_opencv INTERFACE)
target_include_directories(objectdino_opencv SYSTEM INTERFACE ${OPENCV_INCLUDE_DIR})
foreach(component core imgproc imgcodecs)
  find_library(OPENCV_${component}_LIBRARY opencv_${component} REQUIRED)
  target_link_libraries(objectdino_opencv INTERFACE ${OPENCV_${component}_LIBRARY})
endforeach()

include(LibTorch)

if(OBJECTDINO_BUILD_TESTS)
  find_package(GTest CONFIG REQUIRED)
  find_package(benchmark CONFIG REQUIRED)
endif()
