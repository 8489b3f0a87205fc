/* The timer, the signals and the self-test. SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tidewire/errors.h>

#include "budget.h"
#include "budget_state.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* --- the self-test ---------------------------------------------------- */

/* Long enough to be seen running (a third of a second), and it ends by itself
 * should nothing stop it. Each shape compiles differently. */
static const char *const LOOPS[] = {
    "local n = 0 for i = 1, 4e8 do n = n + 1 end return n",
    "local n = 0 while n < 4e8 do n = n + 1 end return n",
    "local function f(n) if n < 4e8 then return f(n + 1) end end return f(0)",
};

static bool stops(lua_State *L, const char *loop) {
    if (luaL_loadstring(L, loop) != 0) {
        return false;
    }
    twl_budget_count(L, NULL, 0, 1);
    int status = lua_pcall(L, 0, 0, 0);
    twl_budget.running = NULL;
    lua_sethook(L, NULL, 0, 0);
    twl_budget.over = 0;
    lua_settop(L, 0);
    return status == LUA_ERRRUN;
}

static bool self_test(void) {
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        return false;
    }
    luaL_openlibs(L);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_ON);
    twl_budget_profile_state(L);
    bool ok = true;
    for (size_t i = 0; i < sizeof LOOPS / sizeof *LOOPS && ok; i++) {
        ok = stops(L, LOOPS[i]);
    }
    twl_budget_profile_state(NULL);
    lua_close(L);
    return ok;
}

/* --- starting and stopping -------------------------------------------- */

static int make_timer(void) {
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = twl_budget.signal;
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &twl_budget.timer) != 0) {
        return TW_EIO;
    }
    struct timespec tick = {.tv_nsec = TWL_TICK_MS * 1000000L};
    struct itimerspec every = {.it_interval = tick, .it_value = tick};
    if (timer_settime(twl_budget.timer, 0, &every, NULL) != 0) {
        timer_delete(twl_budget.timer);
        return TW_EIO;
    }
    return 0;
}

static int start_timer(void) {
    struct sigaction action = {.sa_sigaction = twl_budget_tick,
                               .sa_flags = SA_RESTART | SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    if (sigaction(twl_budget.signal, &action, &twl_budget.old_tick) != 0) {
        return TW_EIO;
    }
    int err = make_timer();
    if (err != 0) {
        sigaction(twl_budget.signal, &twl_budget.old_tick, NULL);
    }
    return err;
}

/* A SIGPROF that is still under way when LuaJIT's handler goes must not end
 * the process. */
static void ignore_sigprof(void) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPROF, &ignore, &twl_budget.old_profile);
}

static bool is_started_here(void) {
    return twl_budget.is_started && twl_budget.pid == getpid();
}

int twl_budget_start(const twl_budget_options *options) {
    if (is_started_here()) {
        return 0;
    }
    if (twl_budget.is_started) {
        /* A fork of a process that had it: all but the timer came along. */
        twl_budget.pid = getpid();
        return make_timer();
    }
    bool no_profiler = options != NULL && options->no_profiler;
    twl_budget.signal = options != NULL && options->signal != 0
                            ? options->signal
                            : SIGRTMIN + 3;
    if (start_timer() != 0) {
        twl_budget.report = "the system refused the CPU timer: calls run "
                            "without a budget and without the JIT";
        return TW_EIO;
    }
    twl_budget.is_started = true;
    twl_budget.pid = getpid();
    if (no_profiler) {
        twl_budget.report = "the JIT is off: the profiler is not ours to use";
        return 0;
    }
    ignore_sigprof();
    twl_budget.allows_jit = self_test();
    if (!twl_budget.allows_jit) {
        sigaction(SIGPROF, &twl_budget.old_profile, NULL);
        twl_budget.report = "the JIT is off: a compiled loop could not be "
                            "stopped in the self-test";
    } else {
        twl_budget.report = "";
    }
    return 0;
}

void twl_budget_stop(void) {
    if (!is_started_here()) {
        return;
    }
    timer_delete(twl_budget.timer);
    twl_budget_profile_state(NULL);
    sigaction(twl_budget.signal, &twl_budget.old_tick, NULL);
    if (twl_budget.allows_jit) {
        sigaction(SIGPROF, &twl_budget.old_profile, NULL);
    }
    twl_budget.allows_jit = false;
    twl_budget.is_started = false;
    twl_budget.report = "";
}

bool twl_budget_allows_jit(void) {
    return twl_budget.allows_jit;
}

const char *twl_budget_report(void) {
    return twl_budget.report != NULL ? twl_budget.report
                                     : "the budget has not been started";
}
