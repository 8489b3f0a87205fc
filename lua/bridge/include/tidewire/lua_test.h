/* tidewire/lua_test.h - runs tests of scripts, as `tidewire test` does.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_LUA_TEST_H
#define TIDEWIRE_LUA_TEST_H

#include "tidewire/lua.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise; 0 takes the default in brackets. Borrowed for the call. */
typedef struct tw_lua_test_config {
    const char *file;        /* the tests */
    const char *library_dir; /* as in tw_lua_config */
    const char *filter;      /* [all] Lua pattern of names of cases to run */
    uint32_t case_ms;        /* [10000] CPU time of one case */
    unsigned first;          /* [1] number of the file's first case, in TAP */
    bool is_tap;             /* output in the Test Anything Protocol, without
                                its plan; else for people */
    bool has_colour;
    bool is_quiet; /* for people: only what failed */
    void (*print)(const char *text, size_t len, void *arg);
    void *print_arg;
    tw_lua_may_read_cb may_read; /* as in tw_lua_config */
    void *may_read_arg;
} tw_lua_test_config;

typedef struct tw_lua_test_result {
    unsigned passed, failed, skipped;
} tw_lua_test_result;

/* Runs a file of tests; *result counts its cases. 0, also when some failed; or
 * the file did not load, which `report` (TW_REPORT_MAX bytes) says, by an error
 * of tw_lua_start. */
TW_API int tw_lua_test(const tw_lua_test_config *config,
                       tw_lua_test_result *result, char *report);

#ifdef __cplusplus
}
#endif
#endif
