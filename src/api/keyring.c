/*
 * api/keyring.c - a bounded cache in front of key_find and jwt_key_find.
 *
 *   a name's entry:  ASLEEP (in `kept` or `nobodies`, the least recent first)
 *                      -ask-> QUEUED (its kind's queue) -statement-> FLYING -answer-> ASLEEP
 *
 * One statement a kind is in flight at most; what is asked meanwhile goes with the next.  An entry
 * that changes while its statement flies is asked for once more before anybody hears of it: the
 * answer may be older than the change.  Failure: who waits for the names of that statement gets the
 * error; what was known of them keeps its age.
 *
 * An entry's age counts from before its statement was sent, so "good for five seconds" holds
 * whatever the database took.
 */
#include "api/keyring.h"

#include "api/scope.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/client_keys.h"
#include "store/statements.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 256, NOBODY_SHARE = 4, SALT_SIZE = 16, USED_US = 1000000, USED_EVERY_US = 60000000 };
enum { USED_MAX = 1000 };

enum place { ASLEEP, QUEUED, FLYING };
enum kind { API_KEYS, JWT_KEYS, KINDS };

struct entry {
    struct list link; /* by its place: kept or nobodies, its kind's queue, its kind's flight */
    struct list waits;
    enum place place;
    enum kind kind;
    bool known;  /* key or nobody is what the database said, `looked_us` old */
    bool exists; /* it said that there is one */
    bool again;  /* changed while in flight */
    bool used;
    uint64_t hash; /* of its name, in the map */
    int64_t looked_us, used_us;
    struct keyring_key key;
    char name[]; /* zero-terminated */
};

struct lookup { /* one kind's statement */
    struct keyring *ring;
    struct pgreq req;
    struct list queue, flight;
    int queued;
    int64_t sent_us;
};

struct keyring {
    struct front *front; /* borrowed */
    struct front_sub sub;
    struct secretbox box;
    struct map map; /* name's hash -> entry, owned */
    struct list kept, nobodies;
    size_t kept_count, nobody_count, max;
    int64_t fresh_us;
    struct lookup lookups[KINDS];
    struct deferred send; /* the queues, at the end of the turn */
    struct timer used_timer;
    struct pgreq used_req;
    uint8_t salt[SALT_SIZE];
    int64_t statements, notified;
    bool closing;
    loop_fn *closed;
    void *closed_ctx;
    struct deferred closed_call;
};

/* ---- entries -------------------------------------------------------------------------------- */

int64_t keyring_now_us(const struct keyring_key *key)
{
    return key->db_us + (clock_mono_us() - key->mono_us);
}

static int hash_name(const struct keyring *k, const char *name, uint64_t *ret)
{
    uint8_t text[SALT_SIZE + KEYRING_NAME_MAX], hash[CRYPTO_SHA256_SIZE];
    size_t len = strlen(name);
    int rc;

    if (len > KEYRING_NAME_MAX)
        return IFP_EINVALID;
    memcpy(text, k->salt, SALT_SIZE);
    for (size_t i = 0; i < len; i++)
        text[SALT_SIZE + i] = (uint8_t)name[i];
    rc = crypto_sha256(text, SALT_SIZE + len, hash);
    memcpy(ret, hash, sizeof(*ret));
    return rc;
}

static struct entry *find(const struct keyring *k, const char *name)
{
    struct entry *x;
    uint64_t hash;

    if (hash_name(k, name, &hash) != 0)
        return NULL;
    x = map_get(&k->map, hash);
    return x && strcmp(x->name, name) == 0 ? x : NULL;
}

static void clear_key(struct keyring_key *key)
{
    crypto_verifier_close(key->verifier);
    mem_free(key->issuer);
    mem_free(key->audience);
    memset(key, 0, sizeof(*key));
}

static void drop(struct keyring *k, struct entry *x)
{
    assert(list_empty(&x->waits));
    list_del(&x->link);
    (void)map_del(&k->map, x->hash);
    clear_key(&x->key);
    mem_free(x);
}

/* To the end of the list that it belongs to; the least recent of that list may go for it. */
static void put_to_sleep(struct keyring *k, struct entry *x)
{
    bool nobody = !x->exists;
    size_t *count = nobody ? &k->nobody_count : &k->kept_count;
    size_t max = nobody ? MAX(k->max / NOBODY_SHARE, 1) : k->max;
    struct list *all = nobody ? &k->nobodies : &k->kept;

    list_del(&x->link);
    x->place = ASLEEP;
    list_push(all, &x->link);
    if (++*count <= max)
        return;
    drop(k, CONTAINER_OF(all->next, struct entry, link));
    --*count;
}

static void wake(struct keyring *k, struct entry *x)
{
    assert(x->place == ASLEEP);
    list_del(&x->link);
    --*(x->exists ? &k->kept_count : &k->nobody_count);
}

static struct entry *make(struct keyring *k, const char *name)
{
    size_t len = strlen(name) + 1;
    struct entry *x = mem_zalloc(sizeof(*x) + len);

    if (!x)
        return NULL;
    memcpy(x->name, name, len);
    list_init(&x->link);
    list_init(&x->waits);
    x->kind = strchr(name, '/') ? JWT_KEYS : API_KEYS;
    if (hash_name(k, name, &x->hash) != 0 || map_get(&k->map, x->hash) ||
        map_put(&k->map, x->hash, x) != 0) {
        mem_free(x);
        return NULL;
    }
    return x;
}

static void enqueue(struct keyring *k, struct entry *x)
{
    struct lookup *up = &k->lookups[x->kind];

    x->place = QUEUED;
    list_push(&up->queue, &x->link);
    up->queued++;
    deferred_call(&k->send);
}

/* ---- asking --------------------------------------------------------------------------------- */

enum keyring_answer keyring_look(struct keyring *k, const char *name,
                                 const struct keyring_key **ret)
{
    struct entry *x = find(k, name);
    int64_t age;

    if (!x)
        return KEYRING_UNKNOWN;
    age = clock_mono_us() - x->looked_us;
    if (!x->known || age >= k->fresh_us)
        return x->exists ? KEYRING_STALE : KEYRING_UNKNOWN;
    if (x->place == ASLEEP) {
        wake(k, x);
        if (x->exists && age >= k->fresh_us / 2 && k->lookups[x->kind].queued < KEYRING_LOOKUPS_MAX)
            enqueue(k, x);
        else
            put_to_sleep(k, x);
    }
    *ret = &x->key;
    return x->exists ? KEYRING_KNOWN : KEYRING_NOBODY;
}

int keyring_ask(struct keyring *k, const char *name, struct keyring_wait *w, struct err *e)
{
    struct entry *x = find(k, name);

    assert(!k->closing && w->done);
    if ((!x || x->place == ASLEEP) &&
        k->lookups[strchr(name, '/') ? JWT_KEYS : API_KEYS].queued >= KEYRING_LOOKUPS_MAX)
        return err_set(e, IFP_EUNAVAILABLE, "too many keys are being looked up");
    if (x && x->place == ASLEEP) {
        wake(k, x);
        enqueue(k, x);
    } else if (!x) {
        x = make(k, name);
        if (!x)
            return err_set(e, IFP_ENOMEM, "out of memory");
        enqueue(k, x);
    }
    list_init(&w->link);
    list_push(&x->waits, &w->link);
    return 0;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static int64_t number_at(const struct pgres *res, int row, int col)
{
    return pgres_null(res, row, col) ? 0 : pgres_int4(res, row, col);
}

static void read_api_key(const struct pgres *res, int row, struct keyring_key *key)
{
    enum {
        PREFIX,
        ID,
        WORKSPACE_ID,
        WORKSPACE,
        NAME,
        HASH,
        SCOPE,
        RATE,
        BURST,
        EXPIRES,
        REVOKED,
        NOW
    };
    struct slice hash = pgres_bytes(res, row, HASH);

    assert(hash.len == sizeof(key->hash));
    key->id = pgres_int8(res, row, ID);
    key->workspace_id = pgres_int4(res, row, WORKSPACE_ID);
    (void)snprintf(key->workspace, sizeof(key->workspace), "%s", pgres_text(res, row, WORKSPACE));
    (void)snprintf(key->name, sizeof(key->name), "%s", pgres_text(res, row, NAME));
    memcpy(key->hash, hash.text, sizeof(key->hash));
    key->scopes = scope_read(pgres_text(res, row, SCOPE));
    key->rate_per_min = number_at(res, row, RATE);
    key->burst = number_at(res, row, BURST);
    key->expires_us = pgres_null(res, row, EXPIRES) ? 0 : pgres_timestamptz(res, row, EXPIRES);
    key->revoked = pgres_bool(res, row, REVOKED);
    key->db_us = pgres_timestamptz(res, row, NOW);
}

/* The key that tokens are checked with; the secret of HS256 is opened for it. */
static int open_verifier(const struct keyring *k, const char *alg, struct slice material,
                         const char *kid, struct keyring_key *key, struct err *e)
{
    const uint8_t *bytes = (const uint8_t *)material.text;
    char purpose[CLIENT_JWT_PURPOSE_SIZE];
    uint8_t *secret = NULL;
    size_t len = material.len;
    int id = crypto_alg_find(alg), rc = 0;

    if (id < 0)
        return err_set(e, IFP_ESERVER, "the algorithm %s is not known here", alg);
    if (id == CRYPTO_HS256) {
        client_jwt_purpose(key->workspace_id, kid, purpose);
        rc = secretbox_open(&k->box, purpose, bytes, material.len, &secret, &len, e);
        bytes = secret;
    }
    if (rc == 0)
        rc = crypto_verifier_open((enum crypto_alg)id, bytes, len, &key->verifier, e);
    secretbox_forget(secret, len);
    return rc;
}

static int read_jwt_key(const struct keyring *k, const struct pgres *res, int row,
                        struct keyring_key *key, struct err *e)
{
    enum {
        WORKSPACE,
        KID,
        ID,
        WORKSPACE_ID,
        ALG,
        ISSUER,
        AUDIENCE,
        MATERIAL,
        SCOPE,
        RATE,
        BURST,
        NOW
    };
    const char *kid = pgres_text(res, row, KID);

    key->id = -pgres_int8(res, row, ID);
    key->workspace_id = pgres_int4(res, row, WORKSPACE_ID);
    (void)snprintf(key->workspace, sizeof(key->workspace), "%s", pgres_text(res, row, WORKSPACE));
    (void)snprintf(key->name, sizeof(key->name), "%s", kid);
    key->scopes = scope_read(pgres_text(res, row, SCOPE));
    key->rate_per_min = number_at(res, row, RATE);
    key->burst = number_at(res, row, BURST);
    key->db_us = pgres_timestamptz(res, row, NOW);
    key->issuer = mem_strdup(pgres_text(res, row, ISSUER));
    key->audience = mem_strdup(pgres_text(res, row, AUDIENCE));
    if (!key->issuer || !key->audience)
        return err_set(e, IFP_ENOMEM, "out of memory");
    return open_verifier(k, pgres_text(res, row, ALG), pgres_bytes(res, row, MATERIAL), kid, key,
                         e);
}

/* A row of the answer goes into its entry.  A key that cannot be used here is as good as none. */
static void take_row(struct keyring *k, struct lookup *up, const struct pgres *res, int row)
{
    bool jwt = up == &k->lookups[JWT_KEYS];
    char name[KEYRING_NAME_MAX + 1];
    struct err e;
    struct entry *x;

    if (jwt)
        (void)snprintf(name, sizeof(name), "%s/%s", pgres_text(res, row, 0),
                       pgres_text(res, row, 1));
    else
        (void)snprintf(name, sizeof(name), "%s", pgres_text(res, row, 0));
    x = find(k, name);
    assert(x && x->place == FLYING);
    clear_key(&x->key);
    err_clear(&e);
    x->key.mono_us = up->sent_us;
    x->exists = true;
    if (!jwt) {
        read_api_key(res, row, &x->key);
    } else if (read_jwt_key(k, res, row, &x->key, &e) != 0) {
        LOG_ERROR("a JWT key cannot be used", LOG_STR("key", name), LOG_ERR(&e));
        x->exists = false;
    }
}

/* Tells all who wait for this entry; each may ask anew at once. */
static void tell(struct entry *x, int err, const struct err *e)
{
    struct list waits;
    struct list *it;

    list_init(&waits);
    list_splice(&waits, &x->waits);
    while ((it = list_pop(&waits))) {
        struct keyring_wait *w = CONTAINER_OF(it, struct keyring_wait, link);

        w->done(w, err, !err && x->exists ? &x->key : NULL, e);
    }
}

/* One entry's statement has ended.  It goes to sleep after it told, so nobody's telling drops it;
 * who asks for it again meanwhile keeps it awake. */
static void land(struct keyring *k, struct lookup *up, struct entry *x, int err,
                 const struct err *e)
{
    if (!err && !x->again) {
        x->known = true;
        x->looked_us = up->sent_us;
    }
    if (!err && x->again && !k->closing) {
        x->again = false;
        enqueue(k, x); /* what it says now may be older than the change */
        return;
    }
    x->again = false;
    tell(x, err, e);
    if (list_empty(&x->waits))
        put_to_sleep(k, x);
    else
        enqueue(k, x);
}

static void on_found(struct pgreq *req, int err, const struct pgres *res, const struct err *e)
{
    struct lookup *up = CONTAINER_OF(req, struct lookup, req);
    struct keyring *k = up->ring;
    struct list done;
    struct list *it;

    list_init(&done);
    if (!err) {
        LIST_EACH(at, &up->flight)
            CONTAINER_OF(at, struct entry, link)->exists = false;
        for (int i = 0; i < pgres_rows(res); i++)
            take_row(k, up, res, i);
    }
    list_splice(&done, &up->flight);
    while ((it = list_pop(&done)))
        land(k, up, CONTAINER_OF(it, struct entry, link), err, e);
    if (!list_empty(&up->queue))
        deferred_call(&k->send);
}

/* ---- the statements ------------------------------------------------------------------------- */

static void add_names(struct lookup *up, bool jwt)
{
    struct pgarray one, two;

    pgarray_init(&one, PGTYPE_TEXT);
    pgarray_init(&two, PGTYPE_TEXT);
    LIST_EACH(it, &up->flight) {
        struct entry *x = CONTAINER_OF(it, struct entry, link);
        const char *slash = strchr(x->name, '/');

        pgarray_bytes(&one, x->name, slash ? (size_t)(slash - x->name) : strlen(x->name));
        if (slash)
            pgarray_text(&two, slash + 1);
    }
    pgargs_reset(&up->req.args);
    pgargs_array(&up->req.args, &one);
    if (jwt)
        pgargs_array(&up->req.args, &two);
    pgarray_release(&one);
    pgarray_release(&two);
}

static void send_lookup(struct keyring *k, enum kind kind)
{
    struct lookup *up = &k->lookups[kind];

    if (pgreq_busy(&up->req) || list_empty(&up->queue))
        return;
    for (int i = 0; i < BATCH && !list_empty(&up->queue); i++) {
        struct entry *x = CONTAINER_OF(list_pop(&up->queue), struct entry, link);

        x->place = FLYING;
        list_push(&up->flight, &x->link);
        up->queued--;
    }
    add_names(up, kind == JWT_KEYS);
    up->sent_us = clock_mono_us();
    k->statements++;
    front_exec(k->front, &up->req);
}

static void on_send(void *ctx)
{
    struct keyring *k = ctx;

    if (k->closing)
        return;
    for (int kind = 0; kind < KINDS; kind++)
        send_lookup(k, (enum kind)kind);
}

/* ---- changes -------------------------------------------------------------------------------- */

static void forget(struct entry *x)
{
    x->known = false;
    x->again = x->place == FLYING;
}

static void on_notified(void *ctx, const char *payload)
{
    struct keyring *k = ctx;
    struct entry *x = find(k, payload);

    k->notified++;
    if (x)
        forget(x);
}

/* Notifications may have been lost: everything is looked up again before its next use. */
static void on_missed(void *ctx)
{
    struct keyring *k = ctx;
    struct entry *x;
    size_t pos = 0;
    uint64_t hash;

    while ((x = map_next(&k->map, &pos, &hash)))
        forget(x);
}

/* ---- use ------------------------------------------------------------------------------------ */

void keyring_used(struct keyring *k, const char *name)
{
    struct entry *x = find(k, name);
    int64_t now = clock_mono_us();

    if (!x || x->used || x->kind != API_KEYS || (x->used_us && now - x->used_us < USED_EVERY_US))
        return;
    x->used = true;
    if (!timer_armed(&k->used_timer) && timer_start(&k->used_timer, USED_US) != 0)
        x->used = false; /* no memory: the next use tries again */
}

/* A statement that fails is not repeated: the next use in a minute says the same. */
static void on_used_written(struct pgreq *req, int err, const struct pgres *res,
                            const struct err *e)
{
    (void)req;
    (void)res;
    if (err)
        LOG_DEBUG("the use of keys was not written down", LOG_ERR(e));
}

static void on_used_time(void *ctx)
{
    struct keyring *k = ctx;
    struct pgarray ids;
    struct entry *x;
    size_t pos = 0;
    uint64_t hash;
    bool more = false;

    pgarray_init(&ids, PGTYPE_INT8);
    while (!pgreq_busy(&k->used_req) && (x = map_next(&k->map, &pos, &hash))) {
        more |= x->used && ids.count == USED_MAX;
        if (!x->used || ids.count == USED_MAX)
            continue;
        x->used = false;
        x->used_us = clock_mono_us();
        if (x->exists)
            pgarray_int8(&ids, x->key.id);
    }
    if (ids.count > 0) {
        pgargs_reset(&k->used_req.args);
        pgargs_array(&k->used_req.args, &ids);
        front_exec(k->front, &k->used_req);
    }
    if ((more || pgreq_busy(&k->used_req)) && timer_start(&k->used_timer, USED_US) != 0)
        LOG_WARN("the use of keys cannot be written down: out of memory");
    pgarray_release(&ids);
}

/* ---- open and close ------------------------------------------------------------------------- */

static void close_part(void *ctx);

static void init_lookups(struct keyring *k)
{
    static const enum statement ids[KINDS] = { STATEMENT_KEY_FIND, STATEMENT_JWT_KEY_FIND };

    for (int i = 0; i < KINDS; i++) {
        struct lookup *up = &k->lookups[i];

        up->ring = k;
        list_init(&up->queue);
        list_init(&up->flight);
        pgreq_init(&up->req);
        up->req.stmt = statements_get(ids[i]);
        up->req.done = on_found;
    }
    pgreq_init(&k->used_req);
    k->used_req.stmt = statements_get(STATEMENT_KEYS_USED);
    k->used_req.done = on_used_written;
}

int keyring_open(struct loop *l, const struct config *config, struct front *front,
                 struct keyring **ret, struct err *e)
{
    struct keyring *k = mem_zalloc(sizeof(*k));
    int rc;

    if (!k)
        return err_set(e, IFP_ENOMEM, "out of memory");
    rc = secretbox_init(&k->box, config_text(config, CONFIG_SECRET_KEY), e);
    if (rc == 0 && ids_random(k->salt, sizeof(k->salt)) != 0)
        rc = err_set(e, IFP_ESERVER, "the system gives no random bytes");
    if (rc != 0) {
        mem_free(k);
        return rc;
    }
    k->front = front;
    k->max = (size_t)config_int(config, CONFIG_KEY_CACHE);
    k->fresh_us = config_int(config, CONFIG_KEY_CACHE_TIME) * 1000;
    list_init(&k->kept);
    list_init(&k->nobodies);
    map_init(&k->map);
    init_lookups(k);
    deferred_init(&k->send, l, on_send, k);
    deferred_init(&k->closed_call, l, close_part, k);
    timer_init(&k->used_timer, l, on_used_time, k);
    k->sub = (struct front_sub){
        .channel = "inferpipe_keys", .notified = on_notified, .missed = on_missed, .ctx = k
    };
    front_subscribe(front, &k->sub);
    *ret = k;
    return 0;
}

static void free_all(struct keyring *k)
{
    struct entry *x;
    size_t pos = 0;
    uint64_t hash;

    while ((x = map_next(&k->map, &pos, &hash))) {
        assert(list_empty(&x->waits));
        clear_key(&x->key);
        mem_free(x);
    }
    map_release(&k->map);
    for (int i = 0; i < KINDS; i++)
        pgreq_release(&k->lookups[i].req);
    pgreq_release(&k->used_req);
    secretbox_release(&k->box);
    mem_free(k);
}

/* Again and again until the statements have ended: they were asked to. */
static void close_part(void *ctx)
{
    struct keyring *k = ctx;
    loop_fn *closed = k->closed;
    void *closed_ctx = k->closed_ctx;
    bool busy = pgreq_busy(&k->used_req);

    for (int i = 0; i < KINDS; i++)
        busy |= pgreq_busy(&k->lookups[i].req);
    if (busy) {
        if (timer_start(&k->used_timer, 1000) != 0)
            deferred_call(&k->closed_call);
        return;
    }
    free_all(k);
    if (closed)
        closed(closed_ctx);
}

void keyring_close(struct keyring *k, loop_fn *closed, void *ctx)
{
    assert(!k->closing);
    k->closing = true;
    k->closed = closed;
    k->closed_ctx = ctx;
    front_unsubscribe(k->front, &k->sub);
    deferred_cancel(&k->send);
    timer_stop(&k->used_timer);
    timer_init(&k->used_timer, k->send.loop, close_part, k);
    for (int i = 0; i < KINDS; i++)
        if (pgreq_busy(&k->lookups[i].req))
            pgreq_cancel(&k->lookups[i].req);
    if (pgreq_busy(&k->used_req))
        pgreq_cancel(&k->used_req);
    deferred_call(&k->closed_call);
}

struct keyring_stats keyring_stats(const struct keyring *k)
{
    return (struct keyring_stats){ .keys = (int64_t)k->kept_count,
                                   .nobodies = (int64_t)k->nobody_count,
                                   .statements = k->statements,
                                   .notified = k->notified };
}
