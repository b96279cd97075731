# What is installed and packaged, in three components, each a Debian package:
#   server  objectdino-server and objectdino-inspect with the libraries that no Debian package has (LibTorch), a unit, an example configuration
#   client  objectdino
#   dev     the client library (objectdino::grounding_client, static), its headers and the proto
# The server's run-time closure is computed from the program itself; what lies in the system's folders stays out of it and
# becomes a dependency of the package.
include(GNUInstallDirs)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # what is built is installed; installing builds nothing
set(private_libraries ${CMAKE_INSTALL_LIBDIR}/objectdino)
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/objectdino)
set(cmake_package ${CMAKE_INSTALL_LIBDIR}/cmake/objectdino)

# ---- server
file(RELATIVE_PATH to_private_libraries /${CMAKE_INSTALL_BINDIR} /${private_libraries})
set_target_properties(objectdino-server objectdino-inspect PROPERTIES INSTALL_RPATH "$ORIGIN/${to_private_libraries}")
install(TARGETS objectdino-server objectdino-inspect RUNTIME_DEPENDENCY_SET server_libraries
        DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
# The driver's libcuda belongs to the machine.
install(RUNTIME_DEPENDENCY_SET server_libraries
        PRE_EXCLUDE_REGEXES "^libcuda\\.so" "^ld-linux"
        POST_EXCLUDE_REGEXES "^/lib/" "^/lib64/" "^/usr/lib/"
        DIRECTORIES ${OBJECTDINO_TORCH_LIBRARY_DIR}
        LIBRARY DESTINATION ${private_libraries} COMPONENT server)
# --strip is for what we build; of what comes from elsewhere the symbols are a fifth.
install(CODE "if(CMAKE_INSTALL_DO_STRIP)
  file(GLOB libraries \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${private_libraries}/*.so*)
  execute_process(COMMAND ${CMAKE_STRIP} --strip-unneeded \${libraries} COMMAND_ERROR_IS_FATAL ANY)
endif()" COMPONENT server)
install(FILES packaging/objectdino-server.service DESTINATION lib/systemd/system COMPONENT server)
install(FILES packaging/server.toml DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/objectdino-server/examples COMPONENT server)
install(FILES ${OBJECTDINO_TORCH_LICENSES} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/objectdino-server/libtorch
        COMPONENT server)

# ---- client
install(TARGETS objectdino DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT client)

# ---- dev: include <objectdino>/client/cpp/grounding_client.h, as in the tree
include(CMakePackageConfigHelpers)
install(TARGETS objectdino_grounding_client objectdino_base objectdino_proto EXPORT objectdino
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
        INCLUDES DESTINATION ${headers})
foreach(target grounding_client base proto)
  set_target_properties(objectdino_${target} PROPERTIES EXPORT_NAME ${target})
endforeach()
install(FILES client/cpp/grounding_client.h client/cpp/security.h DESTINATION ${headers}/client/cpp COMPONENT dev)
install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/generated/ DESTINATION ${headers} COMPONENT dev
        FILES_MATCHING PATTERN "*.pb.h")
install(FILES proto/objectdino/v1/grounding_service.proto
        DESTINATION ${CMAKE_INSTALL_DATADIR}/objectdino/proto/objectdino/v1 COMPONENT dev)
configure_package_config_file(cmake/objectdinoConfig.cmake.in objectdinoConfig.cmake
                              INSTALL_DESTINATION ${cmake_package})
write_basic_package_version_file(objectdinoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT objectdino NAMESPACE objectdino:: FILE objectdinoTargets.cmake DESTINATION ${cmake_package} COMPONENT dev)
install(FILES ${PROJECT_BINARY_DIR}/objectdinoConfig.cmake ${PROJECT_BINARY_DIR}/objectdinoConfigVersion.cmake
        DESTINATION ${cmake_package} COMPONENT dev)

# ---- packages
set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL server client dev)
set(CPACK_PACKAGE_NAME objectdino)
set(CPACK_PACKAGE_VENDOR objectdino)
set(CPACK_PACKAGE_CONTACT "The objectdino authors <objectdino@localhost>")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${OBJECTDINO_TORCH_LIBRARY_DIR})
foreach(component server client dev)
  string(TOUPPER ${component} upper)
  set(name objectdino-${component})
  install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component})
  install(FILES LICENSE RENAME copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
endforeach()
set(CPACK_DEBIAN_SERVER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_CLIENT_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libgrpc++-dev, libprotobuf-dev, libabsl-dev")
set(CPACK_COMPONENT_SERVER_DESCRIPTION "Object-DINO grounding service: finds the objects of an image\n\
 A gRPC server that finds objects without training. Brings the LibTorch that it was built with.")
set(CPACK_COMPONENT_CLIENT_DESCRIPTION "Command line client of the Object-DINO grounding service")
set(CPACK_COMPONENT_DEV_DESCRIPTION "C++ client library of the Object-DINO grounding service")
include(CPack)
