/* SPDX-License-Identifier: MIT */
#include "member.h"

#include <string.h>

#include "console.h"
#include "job.h"
#include "profile.h"
#include "reload.h"

static int start(tw_server *server, const tw_member *member, char *report,
                 void *user) {
    return twl_lua_load(user, server, member->generation, member->snapshot,
                        member->writes_snapshot, report);
}

static void started(tw_server *server, const tw_member *member, void *user) {
    (void)server;
    twl_lua_begin(user, member->is_respawn ? "respawn" : "start");
}

static bool settle(tw_server *server, void *user) {
    (void)server;
    return twl_reload_settle(user);
}

static int prepare(tw_server *server, const tw_member *member, char *report,
                   void *user) {
    (void)server;
    return twl_reload_prepare(user, member->generation, member->snapshot,
                              member->writes_snapshot, report);
}

static int freeze(tw_server *server, char *report, void *user) {
    (void)server;
    return twl_reload_freeze(user, report);
}

static void commit(tw_server *server, void *user) {
    (void)server;
    twl_reload_commit(user);
}

static void forget(tw_server *server, void *user) {
    (void)server;
    twl_reload_abort(user);
}

static void stop(tw_server *server, void *user) {
    tw_lua *lua = user;
    if (!lua->current || lua->is_ending) {
        tw_member_stopped(server);
        return;
    }
    lua->is_ending = true;
    lua->current->stop_reason = "shutdown";
    twl_ready_post(lua);
}

static void ask(tw_server *server, tw_question *question, void *user) {
    static const char unknown[] = "this host has no answer to that";
    tw_str kind = tw_question_asked(question)->kind;
    (void)server;
    if (strcmp(kind.data, "console") == 0) {
        twl_console_ask(user, question);
    } else if (strcmp(kind.data, "profile") == 0) {
        twl_profile_ask(user, question);
    } else {
        tw_question_answer(question, "unavailable", unknown,
                           sizeof unknown - 1);
    }
}

const tw_member_hooks twl_member_hooks = {
    .start = start,
    .started = started,
    .settle = settle,
    .prepare = prepare,
    .freeze = freeze,
    .commit = commit,
    .abort = forget,
    .stop = stop,
    .ask = ask,
};
