/* Random traffic against a model: nothing is lost, doubled or out of order, and
 * what is lost where that is allowed is told exactly where it is missing.
 * SPDX-License-Identifier: MIT */
#include "test_bus_world.h"

enum { MEMBERS = 4, CHANNELS = 9, MAX_NUMBERS = 60000, UNKNOWN = -1 };

/* The order the home gave: told by the home itself, which always has an
 * interest in its own channels. */
typedef struct reference {
    char name[64];
    int numbers[MAX_NUMBERS];
    int len;
} reference;

/* What one member must see next of one channel. */
typedef struct view {
    bool is_held, is_confirmed;
    int asked_at;     /* length of the reference when it was asked for */
    int confirmed_at; /* ... when the confirmation came */
    int next;         /* index in the reference; UNKNOWN before the first */
    int lost_before;  /* gaps before the first */
    uint32_t count;
} view;

typedef struct model {
    world *w;
    reference channels[CHANNELS];
    view views[MEMBERS][CHANNELS];
    int last_of[MEMBERS][CHANNELS][MEMBERS]; /* [receiver][channel][sender] */
    int published;
    int deliveries, gaps;
    bool has_deaths;
} model;

static model *the_model;

static int channel_of(const char *name, size_t len) {
    for (int c = 0; c < CHANNELS; c++) {
        if (strlen(the_model->channels[c].name) == len &&
            memcmp(the_model->channels[c].name, name, len) == 0) {
            return c;
        }
    }
    fail_msg("a channel that is not there");
    return -1;
}

static int find_number(const reference *ref, int number) {
    for (int i = ref->len - 1; i >= 0; i--) {
        if (ref->numbers[i] == number) {
            return i;
        }
    }
    fail_msg("delivered, but not sequenced");
    return -1;
}

static bool is_at_home(const member *m, int c) {
    const char *name = the_model->channels[c].name;
    return tw__bus_home(name, strlen(name), MEMBERS) == m->slot;
}

static void check_first(view *v, const reference *ref, int number) {
    v->next = find_number(ref, number);
    int begin = v->next - v->lost_before;
    assert_true(begin >= v->asked_at);
    assert_true(begin <= v->confirmed_at);
}

static void on_model_publication(void *arg, tw__pub *pub) {
    member *m = arg;
    int c = channel_of(tw__pub_channel(pub), pub->channel_len);
    reference *ref = &the_model->channels[c];
    view *v = &the_model->views[m->slot][c];
    int number, sender;
    assert_int_equal(pub->len, 2 * sizeof(int));
    memcpy(&number, tw__pub_data(pub), sizeof number);
    memcpy(&sender, tw__pub_data(pub) + sizeof number, sizeof sender);
    int *last = &the_model->last_of[m->slot][c][sender];
    assert_true(number > *last);
    *last = number;
    if (is_at_home(m, c)) {
        assert_true(ref->len < MAX_NUMBERS);
        ref->numbers[ref->len++] = number;
    } else if (!the_model->has_deaths) {
        assert_true(v->is_held && v->is_confirmed);
        if (v->next == UNKNOWN) {
            check_first(v, ref, number);
        }
        assert_int_equal(ref->numbers[v->next], number);
        v->next++;
    }
    the_model->deliveries++;
    tw__pub_unref(pub);
}

static void on_model_gap(void *arg, const char *channel, size_t len,
                         uint64_t lost) {
    member *m = arg;
    view *v = &the_model->views[m->slot][channel_of(channel, len)];
    the_model->gaps++;
    assert_true(v->is_held);
    if (!the_model->has_deaths) {
        assert_true(v->is_confirmed);
        assert_true(lost > 0);
        if (v->next == UNKNOWN) {
            v->lost_before += (int)lost;
        } else {
            v->next += (int)lost;
        }
    }
}

/* Who asked, for which channel, and for the how manieth time: an answer to an
 * interest that was dropped says TW_ECLOSED. */
typedef struct request {
    int slot, channel, asked_at;
    bool is_dropped;
} request;

static request *open_requests[MEMBERS][CHANNELS];

static void on_model_confirm(int status, const tw__position *position,
                             void *arg) {
    request *r = arg;
    view *v = &the_model->views[r->slot][r->channel];
    (void)position;
    assert_int_equal(status, r->is_dropped ? TW_ECLOSED : 0);
    if (!r->is_dropped) {
        assert_ptr_equal(open_requests[r->slot][r->channel], r);
        open_requests[r->slot][r->channel] = NULL;
        v->is_confirmed = true;
        v->confirmed_at = the_model->channels[r->channel].len;
    }
    free(r);
}

static void take_interest(member *m, int c) {
    reference *ref = &the_model->channels[c];
    request *r = calloc(1, sizeof *r);
    assert_non_null(r);
    *r = (request){m->slot, c, ref->len, false};
    open_requests[m->slot][c] = r;
    assert_int_equal(m->broker->ops->interest(m->broker, ref->name,
                                              strlen(ref->name),
                                              on_model_confirm, r),
                     0);
    the_model->views[m->slot][c] =
        (view){.is_held = true, .asked_at = ref->len, .next = UNKNOWN};
}

static void drop_interest(member *m, int c) {
    if (open_requests[m->slot][c] != NULL) {
        open_requests[m->slot][c]->is_dropped = true;
        open_requests[m->slot][c] = NULL;
    }
    the_model->views[m->slot][c] = (view){0};
    drop(m, the_model->channels[c].name);
}

static void model_publish(member *m, int c) {
    int body[2] = {++the_model->published, m->slot};
    int err = publish_bytes(m, the_model->channels[c].name, body, sizeof body);
    assert_true(err == 0 || (the_model->has_deaths && err == TW_EUNAVAILABLE));
}

static void begin_member(model *model_, uint16_t slot) {
    member *m = &model_->w->members[slot];
    tw__bus_config config = model_->w->config;
    config.slot = slot;
    config.incarnation = ++m->incarnation;
    config.listen_fd = fcntl(m->listen_fd, F_DUPFD_CLOEXEC, 0);
    config.events = (tw__broker_events){.on_publication = on_model_publication,
                                        .on_gap = on_model_gap,
                                        .on_lost = world_on_lost,
                                        .arg = m};
    assert_int_equal(tw__bus_create(&m->bus, &config), 0);
    m->broker = tw__bus_broker(m->bus);
    for (int c = 0; c < CHANNELS; c++) {
        model_->views[slot][c] = (view){0};
        if (is_at_home(m, c)) {
            take_interest(m, c);
        }
    }
}

static void end_member(model *model_, uint16_t slot) {
    for (int c = 0; c < CHANNELS; c++) {
        if (open_requests[slot][c] != NULL) {
            open_requests[slot][c]->is_dropped = true;
            open_requests[slot][c] = NULL;
        }
    }
    stop(&model_->w->members[slot]);
}

static model *begin(size_t delivery_budget, bool has_deaths) {
    model *created = calloc(1, sizeof *created);
    assert_non_null(created);
    the_model = created;
    memset(open_requests, 0, sizeof open_requests);
    created->w = world_create(MEMBERS, 0);
    created->w->config.delivery_budget_bytes = delivery_budget;
    created->has_deaths = has_deaths;
    for (int c = 0; c < CHANNELS; c++) {
        snprintf(created->channels[c].name, sizeof created->channels[c].name,
                 "%s", name_at(created->w, (uint16_t)(c % MEMBERS), c));
    }
    for (uint16_t slot = 0; slot < MEMBERS; slot++) {
        begin_member(created, slot);
    }
    tw__loop_run_once(&created->w->loop, 0);
    return created;
}

static void end(model *model_) {
    for (uint16_t slot = 0; slot < MEMBERS; slot++) {
        end_member(model_, slot);
    }
    world_destroy(model_->w);
    free(model_);
    the_model = NULL;
}

static void act(model *model_, unsigned burst) {
    member *m = &model_->w->members[rand() % MEMBERS];
    int c = rand() % CHANNELS;
    view *v = &model_->views[m->slot][c];
    switch (rand() % 12) {
    case 0:
    case 1:
        if (!v->is_held) {
            take_interest(m, c);
        }
        break;
    case 2:
        if (v->is_held && !is_at_home(m, c)) {
            drop_interest(m, c);
        }
        break;
    case 3:
        if (v->is_held) {
            v->count = (uint32_t)rand() % 1000;
            set_count(m, model_->channels[c].name, v->count);
        }
        break;
    case 4:
    case 5:
        tw__loop_run_once(&model_->w->loop, 0);
        break;
    default:
        for (unsigned i = (unsigned)rand() % burst + 1; i > 0; i--) {
            model_publish(m, c);
        }
    }
}

static void check_counts(model *model_) {
    for (int c = 0; c < CHANNELS; c++) {
        uint64_t sum = 0;
        for (int slot = 0; slot < MEMBERS; slot++) {
            sum += model_->views[slot][c].count;
        }
        assert_int_equal(count_of(&model_->w->members[rand() % MEMBERS],
                                  model_->channels[c].name),
                         sum);
    }
}

/* When nothing is under way any more, everybody has seen everything. */
static void check_complete(model *model_) {
    for (int slot = 0; slot < MEMBERS; slot++) {
        for (int c = 0; c < CHANNELS; c++) {
            view *v = &model_->views[slot][c];
            int len = model_->channels[c].len;
            if (!v->is_held || is_at_home(&model_->w->members[slot], c)) {
                continue;
            }
            assert_true(v->is_confirmed);
            if (v->next != UNKNOWN) {
                assert_int_equal(v->next, len);
            } else {
                assert_true(len - v->lost_before <= v->confirmed_at);
            }
        }
    }
}

static void run(unsigned seed, size_t delivery_budget, unsigned burst) {
    srand(seed);
    model *model_ = begin(delivery_budget, false);
    for (int step = 0; step < 1500; step++) {
        act(model_, burst);
        if (step % 300 == 299) {
            UNTIL(model_->w, is_quiet(model_->w));
            check_complete(model_);
            check_counts(model_);
        }
    }
    assert_true(model_->deliveries > 1000);
    if (delivery_budget != 0) {
        assert_true(model_->gaps > 0);
    } else {
        assert_int_equal(model_->gaps, 0);
    }
    end(model_);
}

static void nothing_is_lost_doubled_or_out_of_order(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 6; seed++) {
        run(seed, 0, 5);
    }
}

static void losses_are_told_where_and_how_many(void **state) {
    (void)state;
    for (unsigned seed = 11; seed <= 16; seed++) {
        run(seed, 2000, 60);
    }
}

/* With members that end at any moment nothing is doubled or out of order, and
 * in the end everything works again. */
static void deaths_neither_double_nor_disorder(void **state) {
    (void)state;
    for (unsigned seed = 21; seed <= 26; seed++) {
        srand(seed);
        model *model_ = begin(0, true);
        for (int step = 0; step < 1500; step++) {
            act(model_, 5);
            if (rand() % 60 == 0) {
                uint16_t slot = (uint16_t)(rand() % MEMBERS);
                end_member(model_, slot);
                for (int turns = rand() % 4; turns > 0; turns--) {
                    tw__loop_run_once(&model_->w->loop, 0);
                }
                begin_member(model_, slot);
            }
        }
        for (int c = 0; c < CHANNELS; c++) {
            uint64_t sum = 0;
            for (int slot = 0; slot < MEMBERS; slot++) {
                member *m = &model_->w->members[slot];
                view *v = &model_->views[slot][c];
                if (!v->is_held) {
                    take_interest(m, c);
                }
                UNTIL(model_->w, v->is_confirmed);
                sum += v->count;
            }
            UNTIL(model_->w, count_of(&model_->w->members[0],
                                      model_->channels[c].name) == sum);
        }
        int before = model_->deliveries;
        UNTIL(model_->w, tw__bus_is_idle(model_->w->members[0].bus));
        for (int slot = 0; slot < MEMBERS; slot++) {
            model_publish(&model_->w->members[slot], 0);
        }
        int number = model_->published;
        for (int slot = 0; slot < MEMBERS; slot++) {
            UNTIL(model_->w, model_->last_of[slot][0][MEMBERS - 1] == number);
        }
        assert_true(model_->deliveries > before);
        end(model_);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_doubled_or_out_of_order),
        cmocka_unit_test(losses_are_told_where_and_how_many),
        cmocka_unit_test(deaths_neither_double_nor_disorder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
