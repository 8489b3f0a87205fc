/* Random traffic on channels that are kept, against a model: whoever follows
 * what it is told, and asks for what it misses, sees every publication of an
 * epoch once and in order, or was told that something is missing.
 *
 * Each member follows each channel as a client would that keeps its position,
 * also while it does not want the channel, and when its member died. What
 * offset stands for which publication is noted by whoever sees it first; all
 * others have to see the same.
 *
 * SPDX-License-Identifier: MIT */
#include "test_bus_state.h"

enum { MEMBERS = 4, CHANNELS = 6, EPOCHS = 400, HELD = 4000, RETRIES = 400 };

/* One life of a channel. */
typedef struct life {
    char epoch[TW__EPOCH_MAX + 1];
    int *numbers; /* by offset; 0: nobody has seen it */
    size_t cap;
} life;

typedef struct channel {
    char name[64];
    life lives[EPOCHS];
    int life_count;
    int accepted; /* publications, by the engine */
} channel;

typedef struct held {
    uint64_t offset;
    int number;
} held;

/* One member and one channel. */
typedef struct follower {
    bool is_wanted, is_confirmed;
    bool is_filling, is_doubtful; /* asked, or to be asked */
    unsigned fills;               /* only the newest counts */
    tw__position at;              /* no epoch: never confirmed, or not kept */
    held held[HELD];
    int held_count;
    int seen, lapses;
} follower;

typedef struct retry {
    int slot, channel, number;
} retry;

typedef struct model {
    world *w;
    channel channels[CHANNELS];
    follower followers[MEMBERS][CHANNELS];
    retry retries[RETRIES];
    int retry_count, waiting;
    int published;
    bool has_deaths, has_pages, forgets_ids;
} model;

static model *the_model;

/* ---- the truth ---- */

static life *life_of(channel *c, const char *epoch) {
    for (int i = 0; i < c->life_count; i++) {
        if (strcmp(c->lives[i].epoch, epoch) == 0) {
            return &c->lives[i];
        }
    }
    assert_true(c->life_count < EPOCHS);
    life *made = &c->lives[c->life_count++];
    memcpy(made->epoch, epoch, sizeof made->epoch);
    return made;
}

/* Not there twice; but for what was published again, when the home has no room
 * for ids. */
static void check_new(const life *l, int number) {
    for (size_t i = 1; i < l->cap; i++) {
        bool may_double = the_model->forgets_ids && number % 3 == 0;
        assert_true(l->numbers[i] != number || may_double);
    }
}

static void note(channel *c, const char *epoch, uint64_t offset, int number) {
    life *l = life_of(c, epoch);
    if (offset >= l->cap) {
        size_t cap = (size_t)offset * 2 + 64;
        l->numbers = realloc(l->numbers, cap * sizeof *l->numbers);
        assert_non_null(l->numbers);
        memset(l->numbers + l->cap, 0, (cap - l->cap) * sizeof *l->numbers);
        l->cap = cap;
    }
    if (l->numbers[offset] == 0) {
        check_new(l, number);
        l->numbers[offset] = number;
    }
    assert_int_equal(l->numbers[offset], number);
}

/* ---- following ---- */

static follower *follower_of(const member *m, int c) {
    return &the_model->followers[m->slot][c];
}

static bool is_kept(const follower *f) {
    return f->at.epoch[0] != '\0';
}

static void see(follower *f, int c, uint64_t offset, int number) {
    assert_int_equal(offset, f->at.offset + 1);
    note(&the_model->channels[c], f->at.epoch, offset, number);
    f->at.offset = offset;
    f->seen++;
}

/* What a user would be told: something may be missing. */
static void lapse(follower *f, const tw__position *to) {
    f->lapses += is_kept(f);
    f->at = *to;
}

typedef struct filling {
    member *m;
    int channel;
    unsigned number;
} filling;

static void on_filled(int status, const tw__kept *kept, void *arg);

static void fill(member *m, int c) {
    follower *f = follower_of(m, c);
    filling *question = malloc(sizeof *question);
    assert_non_null(question);
    *question = (filling){m, c, ++f->fills};
    tw__kept_query query = {.what = TW__KEPT_LOG | TW__KEPT_SINCE,
                            .since = f->at};
    if (the_model->has_pages) {
        query.limit = (uint32_t)(rand() % 8 + 1);
    } else {
        query.limit_bytes = (size_t)(rand() % 3) * 700;
    }
    const char *name = the_model->channels[c].name;
    int err = m->broker->ops->kept(m->broker, name, strlen(name), &query,
                                   on_filled, question);
    f->is_filling = err == 0;
    f->is_doubtful = err != 0;
    if (err != 0) {
        assert_true(err == TW_EOVERLOADED || err == TW_EUNAVAILABLE);
        f->held_count = 0;
        free(question);
    }
}

/* What came meanwhile, as far as it follows. */
static void go_on(member *m, int c) {
    follower *f = follower_of(m, c);
    int i = 0;
    while (i < f->held_count && f->held[i].offset <= f->at.offset + 1) {
        if (f->held[i].offset == f->at.offset + 1) {
            see(f, c, f->held[i].offset, f->held[i].number);
        }
        i++;
    }
    bool has_hole = i < f->held_count;
    f->held_count = 0;
    if (has_hole) {
        fill(m, c);
    }
}

static int number_in(tw__pub *pub) {
    int number;
    assert_int_equal(pub->len, sizeof number);
    memcpy(&number, tw__pub_data(pub), sizeof number);
    return number;
}

static void take_kept(follower *f, int c, const tw__kept *kept) {
    if (kept->floor > f->at.offset) {
        assert_true(kept->floor <= kept->position.offset);
        tw__position to = f->at;
        to.offset = kept->floor;
        lapse(f, &to);
    }
    for (size_t i = 0; i < kept->log_count; i++) {
        see(f, c, kept->log[i]->header.offset, number_in(kept->log[i]));
    }
}

static void on_filled(int status, const tw__kept *kept, void *arg) {
    filling done = *(filling *)arg;
    follower *f = follower_of(done.m, done.channel);
    free(arg);
    if (done.number != f->fills || !f->is_filling) {
        return;
    }
    f->is_filling = false;
    if (status != 0) {
        f->held_count = 0;
        f->is_doubtful = true;
    } else if (strcmp(kept->position.epoch, f->at.epoch) != 0) {
        f->held_count = 0;
        lapse(f, &kept->position);
    } else {
        take_kept(f, done.channel, kept);
        if (f->at.offset < kept->position.offset) {
            assert_true(the_model->has_pages);
            fill(done.m, done.channel);
        } else {
            assert_int_equal(f->at.offset, kept->position.offset);
            go_on(done.m, done.channel);
        }
    }
}

static int channel_of(const char *name, size_t len) {
    for (int c = 0; c < CHANNELS; c++) {
        const char *known = the_model->channels[c].name;
        if (strlen(known) == len && memcmp(known, name, len) == 0) {
            return c;
        }
    }
    fail_msg("a channel that is not there");
    return -1;
}

static void on_model_publication(void *arg, tw__pub *pub) {
    member *m = arg;
    int c = channel_of(tw__pub_channel(pub), pub->channel_len);
    follower *f = follower_of(m, c);
    uint64_t offset = pub->header.offset;
    assert_true(f->is_wanted && f->is_confirmed);
    if (!is_kept(f) || offset == 0) {
        /* not followed */
    } else if (f->is_filling || f->is_doubtful) {
        assert_true(f->held_count < HELD);
        if (f->held_count > 0) {
            assert_true(offset > f->held[f->held_count - 1].offset);
        }
        f->held[f->held_count++] = (held){offset, number_in(pub)};
    } else if (offset == f->at.offset + 1) {
        see(f, c, offset, number_in(pub));
    } else {
        assert_true(offset > f->at.offset);
        f->held[f->held_count++] = (held){offset, number_in(pub)};
        fill(m, c);
    }
    tw__pub_unref(pub);
}

static void doubt(member *m, int c) {
    follower *f = follower_of(m, c);
    if (is_kept(f) && !f->is_filling) {
        fill(m, c);
    }
}

static void on_model_gap(void *arg, const char *name, size_t len,
                         uint64_t lost) {
    member *m = arg;
    (void)lost;
    m->gaps++;
    doubt(m, channel_of(name, len));
}

/* Where the channel stands, as the engine has just said. */
static void stand(member *m, int c, const tw__position *position) {
    follower *f = follower_of(m, c);
    if (strcmp(position->epoch, f->at.epoch) != 0) {
        f->held_count = 0;
        f->is_filling = f->is_doubtful = false;
        lapse(f, position);
    } else {
        assert_true(position->offset >= f->at.offset);
        if (position->offset > f->at.offset) {
            doubt(m, c);
        }
    }
}

static void on_model_position(void *arg, const char *name, size_t len,
                              const tw__position *position) {
    member *m = arg;
    int c = channel_of(name, len);
    assert_true(follower_of(m, c)->is_confirmed);
    stand(m, c, position);
}

typedef struct request {
    member *m;
    int channel;
    bool is_dropped;
} request;

static request *requests[MEMBERS][CHANNELS];

static void on_model_confirm(int status, const tw__position *position,
                             void *arg) {
    request *r = arg;
    assert_int_equal(status, r->is_dropped ? TW_ECLOSED : 0);
    if (!r->is_dropped) {
        requests[r->m->slot][r->channel] = NULL;
        follower_of(r->m, r->channel)->is_confirmed = true;
        stand(r->m, r->channel, position);
    }
    free(r);
}

/* ---- acting ---- */

static void take_interest(member *m, int c) {
    const char *name = the_model->channels[c].name;
    request *r = calloc(1, sizeof *r);
    assert_non_null(r);
    *r = (request){m, c, false};
    requests[m->slot][c] = r;
    assert_int_equal(m->broker->ops->interest(m->broker, name, strlen(name),
                                              on_model_confirm, r),
                     0);
    follower_of(m, c)->is_wanted = true;
}

/* The position stays, for whoever comes back. */
static void forget(member *m, int c) {
    follower *f = follower_of(m, c);
    if (requests[m->slot][c] != NULL) {
        requests[m->slot][c]->is_dropped = true;
        requests[m->slot][c] = NULL;
    }
    f->is_wanted = f->is_confirmed = f->is_filling = f->is_doubtful = false;
    f->held_count = 0;
}

static void on_published(int status, const tw__position *position, void *arg) {
    retry *r = arg;
    the_model->waiting--;
    if (status == 0) {
        if (position->offset > 0) {
            note(&the_model->channels[r->channel], position->epoch,
                 position->offset, r->number);
        }
        the_model->channels[r->channel].accepted++;
    } else if (status == TW_EUNAVAILABLE) {
        assert_true(the_model->retry_count < RETRIES);
        the_model->retries[the_model->retry_count++] = *r;
    } else {
        assert_int_equal(status, TW_ECLOSED);
    }
    free(r);
}

/* With an id, so that it may be done again. */
static void publish_once(const retry *what) {
    member *m = &the_model->w->members[what->slot];
    retry *r = malloc(sizeof *r);
    assert_non_null(r);
    *r = *what;
    const char *name = the_model->channels[r->channel].name;
    char id[16];
    snprintf(id, sizeof id, "%d", r->number);
    const tw__pub_parts parts = {.channel = name,
                                 .channel_len = strlen(name),
                                 .id = id,
                                 .id_len = strlen(id),
                                 .data = &r->number,
                                 .len = sizeof r->number};
    tw__pub *pub = tw__pub_create_of(NULL, &parts);
    assert_non_null(pub);
    the_model->waiting++;
    int err = m->broker->ops->publish_wait(m->broker, pub, on_published, r);
    if (err != 0) {
        assert_int_equal(err, TW_EUNAVAILABLE);
        on_published(err, NULL, r);
    }
}

static void publish_again(void) {
    int count = the_model->retry_count;
    retry again[RETRIES];
    memcpy(again, the_model->retries, (size_t)count * sizeof *again);
    the_model->retry_count = 0;
    for (int i = 0; i < count; i++) {
        publish_once(&again[i]);
    }
}

static void model_publish(member *m, int c) {
    retry r = {m->slot, c, ++the_model->published};
    if (r.number % 3 == 0) {
        publish_once(&r);
        return;
    }
    int err = publish_bytes(m, the_model->channels[c].name, &r.number,
                            sizeof r.number);
    assert_true(err == 0 || (the_model->has_deaths && err == TW_EUNAVAILABLE));
    the_model->channels[c].accepted += err == 0;
}

static void begin_member(uint16_t slot) {
    world *w = the_model->w;
    member *m = &w->members[slot];
    tw__bus_config config = w->config;
    config.slot = slot;
    config.incarnation = ++m->incarnation;
    config.listen_fd = fcntl(m->listen_fd, F_DUPFD_CLOEXEC, 0);
    config.events = (tw__broker_events){.on_publication = on_model_publication,
                                        .on_gap = on_model_gap,
                                        .on_lost = world_on_lost,
                                        .on_position = on_model_position,
                                        .class_of = state_class_of,
                                        .arg = m};
    assert_int_equal(tw__bus_create(&m->bus, &config), 0);
    m->broker = tw__bus_broker(m->bus);
}

static void end_member(uint16_t slot) {
    for (int c = 0; c < CHANNELS; c++) {
        forget(&the_model->w->members[slot], c);
    }
    stop(&the_model->w->members[slot]);
}

static void act(void) {
    world *w = the_model->w;
    member *m = &w->members[rand() % MEMBERS];
    member *other = &w->members[rand() % MEMBERS];
    int c = rand() % CHANNELS;
    switch (rand() % 16) {
    case 0:
    case 1:
        if (!follower_of(m, c)->is_wanted) {
            take_interest(m, c);
        }
        break;
    case 2:
        if (follower_of(m, c)->is_wanted && rand() % 3 == 0) {
            forget(m, c);
            drop(m, the_model->channels[c].name);
        }
        break;
    case 3:
        if (m != other && rand() % 4 == 0) {
            break_stream(m, other);
        }
        break;
    case 4:
        tw__loop_advance(&w->loop, 1 + (uint64_t)rand() % 30);
        /* fall through */
    case 5:
    case 6:
    case 7:
        tw__loop_run_once(&w->loop, 0);
        publish_again();
        break;
    default:
        for (int i = rand() % 12; i >= 0; i--) {
            model_publish(m, c);
        }
    }
}

/* Where the class changes, it does so at all members. */
static void reclass(uint32_t size) {
    state_class.history.size = size;
    for (int i = 0; i < MEMBERS; i++) {
        member *m = &the_model->w->members[i];
        m->broker->ops->reclass(m->broker);
    }
}

static void replace(uint16_t slot) {
    end_member(slot);
    for (int turns = rand() % 4; turns > 0; turns--) {
        tw__loop_run_once(&the_model->w->loop, 0);
    }
    begin_member(slot);
}

/* ---- in the end ---- */

static bool is_settled(void) {
    world *w = the_model->w;
    bool is_done = the_model->waiting == 0;
    publish_again();
    for (int i = 0; i < MEMBERS; i++) {
        is_done = is_done && tw__bus_is_idle(w->members[i].bus);
        for (int c = 0; c < CHANNELS; c++) {
            follower *f = &the_model->followers[i][c];
            if (f->is_doubtful) {
                fill(&w->members[i], c);
            }
            is_done = is_done && f->is_confirmed && !f->is_filling;
        }
    }
    return is_done;
}

static tw__position position_of(int c) {
    const char *name = the_model->channels[c].name;
    uint16_t home = tw__bus_home(name, strlen(name), MEMBERS);
    return ask_kept(&the_model->w->members[home], name,
                    (tw__kept_query){.what = 0})
        .position;
}

static bool is_level(void) {
    for (int c = 0; c < CHANNELS; c++) {
        tw__position now = position_of(c);
        for (int i = 0; i < MEMBERS; i++) {
            const tw__position *at = &the_model->followers[i][c].at;
            if (strcmp(at->epoch, now.epoch) != 0 || at->offset != now.offset) {
                return false;
            }
        }
    }
    return true;
}

/* Everybody wants everything, and gets to where the home stands. */
static void settle(void) {
    for (uint16_t i = 0; i < MEMBERS; i++) {
        for (int c = 0; c < CHANNELS; c++) {
            if (!the_model->followers[i][c].is_wanted) {
                take_interest(&the_model->w->members[i], c);
            }
        }
    }
    UNTIL(the_model->w, is_settled());
    UNTIL(the_model->w, is_settled() && is_level());
}

static void begin(uint32_t size, size_t budget) {
    the_model = calloc(1, sizeof *the_model);
    assert_non_null(the_model);
    memset(requests, 0, sizeof requests);
    the_model->w = state_create(MEMBERS, 0, size, 0);
    the_model->w->config.delivery_budget_bytes = budget;
    for (int c = 0; c < CHANNELS; c++) {
        snprintf(the_model->channels[c].name,
                 sizeof the_model->channels[c].name, "%s",
                 name_at(the_model->w, (uint16_t)(c % MEMBERS), c));
    }
}

static void end(void) {
    for (uint16_t slot = 0; slot < MEMBERS; slot++) {
        end_member(slot);
    }
    world_destroy(the_model->w);
    for (int c = 0; c < CHANNELS; c++) {
        for (int i = 0; i < the_model->channels[c].life_count; i++) {
            free(the_model->channels[c].lives[i].numbers);
        }
    }
    free(the_model);
    the_model = NULL;
}

static int sum_lapses(void) {
    int lapses = 0;
    for (int i = 0; i < MEMBERS * CHANNELS; i++) {
        lapses += the_model->followers[i / CHANNELS][i % CHANNELS].lapses;
    }
    return lapses;
}

/* The logs are long enough, and no home dies: whatever happens to the streams
 * and however little fits, everything is seen and nothing is lost. */
static void nothing_is_missed_while_it_is_kept(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 6; seed++) {
        srand(seed);
        begin(20000, seed % 2 == 0 ? 2500 : 0);
        the_model->has_pages = true;
        for (uint16_t slot = 0; slot < MEMBERS; slot++) {
            begin_member(slot);
        }
        /* From the first on. */
        for (int i = 0; i < MEMBERS * CHANNELS; i++) {
            take_interest(&the_model->w->members[i / CHANNELS], i % CHANNELS);
        }
        UNTIL(the_model->w, is_settled());
        for (int step = 0; step < 1500; step++) {
            act();
        }
        settle();
        int gaps = 0;
        for (int i = 0; i < MEMBERS; i++) {
            gaps += (int)the_model->w->members[i].gaps;
            assert_int_equal(the_model->w->members[i].lost, 0);
            for (int c = 0; c < CHANNELS; c++) {
                const follower *f = &the_model->followers[i][c];
                assert_int_equal(f->seen, the_model->channels[c].accepted);
                assert_int_equal(f->at.offset, f->seen);
            }
        }
        assert_true(gaps > 0);
        assert_int_equal(sum_lapses(), 0);
        end();
    }
}

/* Logs are short, grow old and are given up, classes change and homes die. */
static void what_is_missed_is_told(void **state) {
    (void)state;
    int lapses = 0;
    for (unsigned seed = 11; seed <= 18; seed++) {
        srand(seed);
        begin(12, seed % 2 == 0 ? 2500 : 0);
        state_class.history.ttl_ms = seed % 3 == 0 ? 200 : 0;
        the_model->w->config.history_budget_bytes = seed % 4 == 0 ? 6000 : 0;
        the_model->forgets_ids = seed % 4 == 0;
        the_model->has_deaths = true;
        for (uint16_t slot = 0; slot < MEMBERS; slot++) {
            begin_member(slot);
        }
        for (int step = 0; step < 1500; step++) {
            act();
            if (rand() % 120 == 0) {
                replace((uint16_t)(rand() % MEMBERS));
            }
            if (rand() % 150 == 0) {
                reclass((uint32_t)(rand() % 4) * 7);
            }
        }
        reclass(9);
        settle();
        lapses += sum_lapses();
        for (int i = 0; i < MEMBERS; i++) {
            for (int c = 0; c < CHANNELS; c++) {
                model_publish(&the_model->w->members[i], c);
            }
        }
        settle();
        end();
    }
    assert_true(lapses > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_missed_while_it_is_kept),
        cmocka_unit_test(what_is_missed_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
