/* Ids: who a connection is, and where.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include "server/conn_id.h"

static void an_id_says_slot_and_place(void **state) {
    uint8_t id[TW__CONN_ID_BYTES];
    (void)state;
    tw__conn_id_make(id, 0xABCD, 0x01020304);
    assert_int_equal(tw__conn_id_slot(id), 0xABCD);
    assert_int_equal(tw__conn_id_place(id), 0x01020304);
    static const uint8_t where[] = {0xCD, 0xAB, 4, 3, 2, 1};
    assert_memory_equal(id, where, sizeof where);
    tw__conn_id_make(id, UINT16_MAX, UINT32_MAX);
    assert_int_equal(tw__conn_id_slot(id), UINT16_MAX);
    assert_int_equal(tw__conn_id_place(id), UINT32_MAX);
}

static void two_ids_of_one_place_differ(void **state) {
    uint8_t a[TW__CONN_ID_BYTES], b[TW__CONN_ID_BYTES];
    (void)state;
    tw__conn_id_make(a, 1, 2);
    tw__conn_id_make(b, 1, 2);
    assert_memory_equal(a, b, 6);
    assert_memory_not_equal(a + 6, b + 6, sizeof a - 6);
}

/* What is spread by it, as the end of connections in a drain, is spread. */
static void the_dice_of_ids_fall_everywhere(void **state) {
    enum { IDS = 4096, PARTS = 16 };
    int parts[PARTS] = {0};
    (void)state;
    for (uint32_t i = 0; i < IDS; i++) {
        uint8_t id[TW__CONN_ID_BYTES];
        tw__conn_id_make(id, 0, i + 1);
        parts[tw__conn_id_dice(id) >> 12]++;
    }
    for (int i = 0; i < PARTS; i++) {
        assert_in_range(parts[i], 100, 500); /* 256, and 10 times its root */
    }
}

static void an_id_is_the_same_after_being_text(void **state) {
    uint8_t id[TW__CONN_ID_BYTES], again[TW__CONN_ID_BYTES];
    char text[TW_ID_TEXT];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        tw__conn_id_make(id, (uint16_t)(i * 61), (uint32_t)i * 2654435761u);
        memset(again, 0, sizeof again);
        tw__conn_id_write(id, text);
        assert_int_equal(strlen(text), TW_ID_TEXT - 1);
        assert_int_equal(tw__conn_id_parse(again, str_of(text)), 0);
        assert_memory_equal(again, id, sizeof id);
    }
}

static void refuse(const char *text, size_t len) {
    uint8_t id[TW__CONN_ID_BYTES], before[TW__CONN_ID_BYTES];
    memset(id, 0x5A, sizeof id);
    memcpy(before, id, sizeof id);
    assert_int_equal(tw__conn_id_parse(id, (tw_str){text, len}), TW_EINVALID);
    assert_memory_equal(id, before, sizeof id);
}

static void what_is_no_id_is_refused(void **state) {
    char text[TW_ID_TEXT + 1] = "AAAAAAAAAAAAAAAAAAAAAA";
    (void)state;
    refuse(NULL, 0);
    refuse(text, TW_ID_TEXT - 2);
    refuse("AAAAAAAAAAAAAAAAAAAAAAA", TW_ID_TEXT);
    for (size_t i = 0; i < TW_ID_TEXT - 1; i++) {
        for (const char *bad = "+/= \n.\x80"; *bad != '\0'; bad++) {
            text[i] = *bad;
            refuse(text, TW_ID_TEXT - 1);
        }
        text[i] = '\0';
        refuse(text, TW_ID_TEXT - 1);
        text[i] = 'A';
    }
}

/* The last character stands for two bits: of the 64 four are fit. */
static void an_id_has_one_text_only(void **state) {
    uint8_t id[TW__CONN_ID_BYTES];
    char text[TW_ID_TEXT] = "AAAAAAAAAAAAAAAAAAAAAA", again[TW_ID_TEXT];
    int fit = 0;
    (void)state;
    for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                         "0123456789-_";
         *c != '\0'; c++) {
        text[TW_ID_TEXT - 2] = *c;
        if (tw__conn_id_parse(id, str_of(text)) == 0) {
            tw__conn_id_write(id, again);
            assert_string_equal(again, text);
            fit++;
        }
    }
    assert_int_equal(fit, 4);
}

/* ---- found by it ---- */

static void a_connection_is_found_by_its_whole_id(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client_open(&w);
    client_open(&w);
    for (int i = 1; i <= 2; i++) {
        uint8_t id[TW__CONN_ID_BYTES];
        memcpy(id, w.conns[i]->id, sizeof id);
        assert_int_equal(tw__conn_id_slot(id), 0);
        assert_ptr_equal(tw__server_find_id(w.server, id), w.conns[i]);
        for (size_t byte = 0; byte < sizeof id; byte++) {
            id[byte] ^= 0x10;
            assert_null(tw__server_find_id(w.server, id));
            id[byte] ^= 0x10;
        }
    }
    static const uint8_t nobody[TW__CONN_ID_BYTES];
    assert_null(tw__server_find_id(w.server, nobody));
    world_close(&w);
}

static void who_is_not_upgraded_has_no_id(void **state) {
    world w;
    uint8_t id[TW__CONN_ID_BYTES] = {0, 0, 1};
    (void)state;
    world_open(&w);
    client_connect(&w, 0);
    world_until(&w, w.server->conn_live == 1);
    assert_int_equal(w.server->conns[1].state, TW__CONN_HTTP);
    assert_null(tw__server_find_id(w.server, id));
    world_close(&w);
}

static void the_next_at_the_same_place_has_another_id(void **state) {
    world w;
    uint8_t id[TW__CONN_ID_BYTES];
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    memcpy(id, w.conns[1]->id, sizeof id);
    uint32_t place = tw__conn_id_place(id);
    client_reset(c);
    world_until(&w, w.gone == 1);
    assert_null(tw__server_find_id(w.server, id));
    client_open(&w);
    assert_int_equal(tw__conn_id_place(w.conns[2]->id), place);
    assert_null(tw__server_find_id(w.server, id));
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_says_slot_and_place),
        cmocka_unit_test(two_ids_of_one_place_differ),
        cmocka_unit_test(the_dice_of_ids_fall_everywhere),
        cmocka_unit_test(an_id_is_the_same_after_being_text),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(an_id_has_one_text_only),
        cmocka_unit_test(a_connection_is_found_by_its_whole_id),
        cmocka_unit_test(who_is_not_upgraded_has_no_id),
        cmocka_unit_test(the_next_at_the_same_place_has_another_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
