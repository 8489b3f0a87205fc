# Finds what the project stands on; nothing is vendored or downloaded.
# SPDX-License-Identifier: MIT
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED COMPONENTS SSL Crypto)
find_package(ZLIB REQUIRED)
find_package(wslay REQUIRED CONFIG)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14)
# Its .pc says how files are opened, which is not its business.
set_property(TARGET PkgConfig::HIREDIS PROPERTY INTERFACE_COMPILE_OPTIONS)
# 7.87: a request can be called off while its host's name is looked up.
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.87)

# llhttp: the packaged library where there is one, else the C sources that
# Debian ships in node-llhttp, compiled here.
find_library(LLHTTP_LIBRARY llhttp)
find_path(LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include PATH_SUFFIXES llhttp)
find_path(LLHTTP_SOURCE llhttp.c PATHS /usr/share/llhttp)
if(NOT LLHTTP_INCLUDE OR (NOT LLHTTP_LIBRARY AND NOT LLHTTP_SOURCE))
    message(FATAL_ERROR "llhttp not found: install node-llhttp or libllhttp")
endif()
if(LLHTTP_LIBRARY)
    add_library(tw_llhttp INTERFACE)
    target_link_libraries(tw_llhttp INTERFACE ${LLHTTP_LIBRARY})
    target_include_directories(tw_llhttp INTERFACE ${LLHTTP_INCLUDE})
else()
    add_library(tw_llhttp OBJECT ${LLHTTP_SOURCE}/llhttp.c
        ${LLHTTP_SOURCE}/api.c ${LLHTTP_SOURCE}/http.c)
    target_include_directories(tw_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE})
    set_target_properties(tw_llhttp PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_compile_definitions(tw_llhttp PRIVATE LLHTTP_STRICT_MODE=1)
    target_compile_options(tw_llhttp PRIVATE -w -O2)
endif()
