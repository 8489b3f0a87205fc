# Runs when the project is installed: only then the prefix is known, and the
# unit and the settings name paths below it. Settings that are there are
# somebody's and stay.
# SPDX-License-Identifier: MIT
get_filename_component(TW_PREFIX "${CMAKE_INSTALL_PREFIX}" ABSOLUTE)
set(TW_BIN "${TW_PREFIX}/${TW_BIN_DIR}")
set(TW_SHARE "${TW_PREFIX}/${TW_SHARE_DIR}/tidewire")
set(TW_ETC "${TW_PREFIX}/etc/tidewire")
if(TW_PREFIX STREQUAL "/usr")
    set(TW_ETC "/etc/tidewire")
endif()

# Not a function: file(INSTALL) keeps the manifest in the caller's scope.
macro(tw_install input folder name)
    configure_file("${TW_INSTALL_INPUT}/${input}" "${TW_INSTALL_WORK}/${name}"
        @ONLY)
    file(INSTALL FILES "${TW_INSTALL_WORK}/${name}" DESTINATION "${folder}"
        TYPE FILE)
endmacro()

tw_install(tidewire.service.in "${TW_PREFIX}/lib/systemd/system"
    tidewire.service)
tw_install(tidewire.sysusers "${TW_PREFIX}/lib/sysusers.d" tidewire.conf)
if(EXISTS "$ENV{DESTDIR}${TW_ETC}/config.lua")
    message(STATUS "Left as it is: $ENV{DESTDIR}${TW_ETC}/config.lua")
else()
    tw_install(config.lua.in "${TW_ETC}" config.lua)
endif()
