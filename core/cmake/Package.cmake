# Debian packages, made by `make deb` or by cpack in any build folder: tidewire
# is the program with its service, libtidewire-dev what C programs are built
# against. SPDX-License-Identifier: MIT
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tidewire)
set(CPACK_PACKAGE_CONTACT "The Tidewire authors <tidewire@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # the unit and the settings name their final paths
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime devel)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME tidewire)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION net)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS adduser)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
"A C core owns WebSocket connections, channels and heartbeats; Lua scripts
decide who may connect and what is said to whom, and are reloaded while
connections stay open.")
set(scripts ${PROJECT_SOURCE_DIR}/lua/program/install/debian)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${scripts}/conffiles
    ${scripts}/postinst ${scripts}/prerm ${scripts}/postrm)

set(CPACK_DEBIAN_DEVEL_PACKAGE_NAME libtidewire-dev)
set(CPACK_DEBIAN_DEVEL_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVEL_PACKAGE_DEPENDS "libuv1-dev, libwslay-dev, libssl-dev, \
libluajit-5.1-dev, lua-cjson-dev")
get_target_property(linked tidewire LINK_LIBRARIES)
if("ZLIB::ZLIB" IN_LIST linked)
    string(APPEND CPACK_DEBIAN_DEVEL_PACKAGE_DEPENDS ", zlib1g-dev")
endif()
if("PkgConfig::CURL" IN_LIST linked)
    string(APPEND CPACK_DEBIAN_DEVEL_PACKAGE_DEPENDS
        ", libcurl4-openssl-dev")
endif()
if("PkgConfig::HIREDIS" IN_LIST linked)
    string(APPEND CPACK_DEBIAN_DEVEL_PACKAGE_DEPENDS ", libhiredis-dev")
endif()
set(CPACK_COMPONENT_DEVEL_DESCRIPTION
"Static libraries and headers to put a Tidewire server into a program of one's
own, with its logic in C or in Lua scripts.")

include(CPack)
