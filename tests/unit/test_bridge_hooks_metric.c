/* tw.metric: what a script may ask for, and what it counts.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static void scripts_count_with_labels(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local orders = tw.metric.counter('orders_total', { 'kind', 'paid' },\n"
        "                                 { help = 'Orders taken' })\n"
        "local level = tw.metric.gauge('level')\n"
        "local took = tw.metric.histogram('took_seconds', nil,\n"
        "                                 { buckets = { 0.5, 2 } })\n"
        "return tw.app { on_message = function(conn)\n"
        "  conn:send(tostring(orders:inc(1, 'new', true)))\n"
        "  orders:inc(nil, 'new', true)\n"
        "  orders:inc(0.5, 7, false)\n"
        "  orders:inc(2, 7.25, 'no')\n"
        "  level:set(3) level:add(-1)\n"
        "  took:observe(1) took:observe(3)\n"
        "end }");
    fake_message(fake_connect(server, "/*"), "x");
    assert_string_equal(fake_last_sent(server->conns), "true");
    fake_has_metric(server, "# HELP orders_total Orders taken");
    fake_has_metric(server, "orders_total{kind=\"new\",paid=\"true\"} 2");
    fake_has_metric(server, "orders_total{kind=\"7\",paid=\"false\"} 0.5");
    fake_has_metric(server, "orders_total{kind=\"7.25\",paid=\"no\"} 2");
    fake_has_metric(server, "level 2");
    fake_has_metric(server, "took_seconds_bucket{le=\"2\"} 1");
    fake_has_metric(server, "took_seconds_sum 4");
    assert_string_equal(fake_log_text, "");
    fake_free(server);
}

static void a_metric_is_there_before_it_is_used(void **state) {
    (void)state;
    tw_server *server = fake_start("tw.metric.counter('starts_total')\n"
                                   "return tw.app {}");
    fake_has_metric(server, "starts_total 0");
    fake_free(server);
}

static void one_made_in_a_hook_is_opened_when_it_is_used(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  local c = tw.metric.counter(msg.data)\n"
                   "  assert(rawequal(c, tw.metric.counter(msg.data)))\n"
                   "  c:inc(3)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "late_total");
    fake_message(conn, "late_total");
    fake_has_metric(server, "late_total 6");
    fake_free(server);
}

static void counts_go_on_over_a_reload(void **state) {
    (void)state;
    const char *script = "local c = tw.metric.counter('n_total')\n"
                         "local g = tw.metric.gauge('g')\n"
                         "return tw.app { on_message = function()\n"
                         "  c:inc() g:add(1) end }";
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_reload(server, script);
    fake_message(conn, "x");
    fake_has_metric(server, "n_total 2");
    fake_has_metric(server, "g 2");
    fake_free(server);
}

/* The old generation goes on with what it has; the new one is shown. */
static void a_metric_may_change_its_form_with_a_reload(void **state) {
    (void)state;
    tw_server *server = fake_start("local c = tw.metric.counter('n')\n"
                                   "return tw.app { on_message = function()\n"
                                   "  c:inc() tw.sleep(1) c:inc() end }");
    tw_conn *conn = fake_connect(server, "/*"), *b = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_reload(server, "local c = tw.metric.gauge('n', { 'of' })\n"
                        "return tw.app { on_message = function()\n"
                        "  c:set(9, 'x') end }");
    fake_advance(server, 1000);
    fake_message(b, "x");
    fake_has_metric(server, "# TYPE n gauge");
    fake_has_metric(server, "n{of=\"x\"} 9");
    fake_free(server);
}

static void a_script_that_is_discarded_leaves_nothing(void **state) {
    (void)state;
    char report[TW_REPORT_MAX];
    tw_server *server = fake_start("return tw.app {}");
    fake_source("tw.metric.counter('never_total') error('no')");
    assert_int_equal(tw_lua_reload(server->lua, report), TW_EINVALID);
    assert_null(strstr(fake_metric_text(server), "never_total"));
    fake_free(server);
}

static void without_memory_it_is_an_error_and_a_warning(void **state) {
    (void)state;
    tw_lua_config config = fake_config();
    tw_server *server = fake_server_with(
        &config, "local c = tw.metric.counter('n_total')\n"
                 "return tw.app { on_message = function(conn)\n"
                 "  local ok, err = c:inc()\n"
                 "  conn:send(tostring(ok) .. err.code) end }");
    char report[TW_REPORT_MAX] = "";
    server->metric_error = TW_ELIMIT;
    assert_int_equal(tw_lua_start(server->lua, server, report), 0);
    assert_has(fake_log_text, "the metric 'n_total' is not counted: "
                              "limits.metric_memory is used up");
    server->metric_error = 0; /* it is not tried again */
    fake_message(fake_connect(server, "/*"), "x");
    assert_string_equal(fake_last_sent(server->conns), "nillimit");
    fake_free(server);
}

static void refused(const char *script, const char *why) {
    assert_has(fake_refusal(script), why);
}

static void mistakes_are_found_when_the_script_loads(void **state) {
    (void)state;
    refused("tw.metric.counter()", "tw.metric.counter: name must be a string");
    refused("tw.metric.counter('a-b')", "'a-b': a name has letters");
    refused("tw.metric.counter('a\\0b')", "a name has letters");
    refused("tw.metric.gauge('tidewire_up')", "must not begin with tidewire_");
    refused("tw.metric.counter('x', { help = 'y' })",
            "labels are a list of names; options come behind it");
    refused("tw.metric.counter('x', { 1 })", "a label must be a string");
    refused("tw.metric.counter('x', { 'a\\0' })", "'' is no name for a label");
    refused("tw.metric.counter('x', { 'a', 'a' })", "'a' comes twice");
    refused("tw.metric.counter('x', { 'a','b','c','d','e','f','g','h','i' })",
            "more than 8 labels");
    refused("tw.metric.counter('x', nil, { hlp = 'y' })",
            "'hlp' (did you mean 'help'?)");
    refused("tw.metric.counter('x', nil, { over = 'max' })", "'over'");
    refused("tw.metric.counter('x', nil, { max = 0 })", "max");
    refused("tw.metric.gauge('x', nil, { over = 'most' })",
            "over must be 'sum', 'max', 'min' or 'each'");
    refused("tw.metric.histogram('x', nil, { buckets = 3 })",
            "buckets must be a list of numbers");
    refused("tw.metric.histogram('x', nil, { buckets = { 'a' } })",
            "buckets must be a list of numbers");
    refused("tw.metric.histogram('x', nil, { buckets = { 2, 1 } })",
            "buckets must be numbers that rise");
    refused("tw.metric.counter('x') tw.metric.gauge('x')",
            "'x' has been made before, as something else");
    refused("tw.metric.counter('x', { 'a' }) tw.metric.counter('x', { 'b' })",
            "'x' has been made before, as something else");
    refused("tw.metric.counter('x'):inc()",
            "counter:inc cannot be used while the script loads");
}

/* `code` runs in a hook; what it raises is sent. */
static void raises(const char *code, const char *why) {
    char script[512];
    snprintf(script, sizeof script,
             "local c = tw.metric.counter('c', { 'a' })\n"
             "local g = tw.metric.gauge('g')\n"
             "local h = tw.metric.histogram('h')\n"
             "return tw.app { on_message = function(conn)\n"
             "  conn:send(select(2, pcall(function() %s end))) end }",
             code);
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_has(fake_last_sent(conn), why);
    fake_free(server);
}

static void misuse_in_a_hook_raises(void **state) {
    (void)state;
    raises("c:inc()", "'c' has 1 labels, and there are 0 values for them");
    raises("c:inc(1)", "'c' has 1 labels, and there are 0 values for them");
    raises("c:inc(1, 'x', 'y')", "there are 2 values");
    raises("c:inc(1, nil)", "the value of 'a' must be a string");
    raises("c:inc(1, {})", "the value of 'a' must be a string");
    raises("c:inc(-1, 'x')", "n must be");
    raises("g:set()", "gauge:set: value must be a number");
    raises("g:set(1, 'x')", "'g' has 0 labels, and there are 1 values");
    raises("g:set(0/0)", "gauge:set: value");
    raises("g:set(1/0)", "gauge:set: value");
    raises("h:observe('x')", "histogram:observe: value must be a number");
    raises("c:set(1)", "unknown method 'set'");
    raises("g:inc()", "unknown method 'inc'");
    raises("h:obsrve(1)", "(did you mean 'observe'?)");
    raises("c.inc(g, 1)",
           "counter:inc is a method of tw.Counter: call it with ':'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_count_with_labels),
        cmocka_unit_test(a_metric_is_there_before_it_is_used),
        cmocka_unit_test(one_made_in_a_hook_is_opened_when_it_is_used),
        cmocka_unit_test(counts_go_on_over_a_reload),
        cmocka_unit_test(a_metric_may_change_its_form_with_a_reload),
        cmocka_unit_test(a_script_that_is_discarded_leaves_nothing),
        cmocka_unit_test(without_memory_it_is_an_error_and_a_warning),
        cmocka_unit_test(mistakes_are_found_when_the_script_loads),
        cmocka_unit_test(misuse_in_a_hook_raises),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
