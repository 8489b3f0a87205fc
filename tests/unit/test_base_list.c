/* Rings of nodes. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include "base/list.h"

typedef struct thing {
    int number;
    tw__list node;
} thing;

static thing things[6];

static void fill(tw__list *list, int from, int to) {
    tw__list_init(list);
    for (int i = from; i < to; i++) {
        things[i].number = i;
        tw__list_push(list, &things[i].node);
    }
}

/* The numbers in both directions must be these. */
static void expect(const tw__list *list, const char *digits) {
    const tw__list *node = list;
    for (const char *at = digits; *at != '\0'; at++) {
        assert_ptr_equal(node->next->prev, node);
        node = node->next;
        assert_int_equal(TW__CONTAINER(node, thing, node)->number, *at - '0');
    }
    assert_ptr_equal(node->next, list);
    assert_int_equal(tw__list_is_empty(list), digits[0] == '\0');
}

static void nodes_stand_in_the_order_of_adding(void **state) {
    tw__list list;
    (void)state;
    fill(&list, 0, 3);
    expect(&list, "012");
    assert_ptr_equal(tw__list_shift(&list), &things[0].node);
    expect(&list, "12");
    tw__list_shift(&list);
    tw__list_shift(&list);
    assert_null(tw__list_shift(&list));
    expect(&list, "");
}

static void a_node_may_be_removed_twice(void **state) {
    tw__list list;
    (void)state;
    fill(&list, 0, 4);
    tw__list_remove(&things[2].node);
    tw__list_remove(&things[2].node);
    assert_true(tw__list_is_empty(&things[2].node));
    expect(&list, "013");
    tw__list_remove(&things[3].node);
    tw__list_remove(&things[0].node);
    expect(&list, "1");
}

static void a_whole_list_moves_behind_another(void **state) {
    tw__list a, b;
    (void)state;
    fill(&a, 0, 2);
    fill(&b, 2, 5);
    tw__list_move_all(&a, &b);
    expect(&a, "01234");
    expect(&b, "");
    tw__list_move_all(&a, &b);
    expect(&a, "01234");
    tw__list_move_all(&b, &a);
    expect(&a, "");
    expect(&b, "01234");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_stand_in_the_order_of_adding),
        cmocka_unit_test(a_node_may_be_removed_twice),
        cmocka_unit_test(a_whole_list_moves_behind_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
