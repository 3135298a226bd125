/*
 * store/client_answers.h - kept answers of requests that create something (sql/schema/answers.sql).
 */
#ifndef STORE_CLIENT_ANSWERS_H
#define STORE_CLIENT_ANSWERS_H

#include "base/arena.h"
#include "store/client.h"

enum { CLIENT_ANSWER_HASH = 16 };

struct client_answer {
    const char *key;                  /* borrowed */
    uint8_t hash[CLIENT_ANSWER_HASH]; /* of the request */
    int64_t owner;                    /* random, of this try */
    bool claimed;                     /* it is to be carried out now */
    int status;                       /* 0: it is under way elsewhere */
    struct slice body;                /* in the arena */
};

/* A claim holds so long without an answer. */
#define CLIENT_ANSWER_CLAIM_MS INT64_C(60000)

/* IFP_EMISMATCH: the key was used for another request. */
int client_answer_claim(struct client *c, struct client_answer *a, struct arena *arena,
                        struct err *e) MUSTCHECK;
int client_answer_keep(struct client *c, const struct client_answer *a, int status,
                       struct slice body, struct err *e) MUSTCHECK;
int client_answer_release(struct client *c, const struct client_answer *a, struct err *e) MUSTCHECK;

#endif
