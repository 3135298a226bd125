/* api/scope.h - what a key may do: every route names one scope, every key has a set of them. */
#ifndef API_SCOPE_H
#define API_SCOPE_H

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

/* number, name, text */
#define SCOPE_MAP(X)                                                                               \
    X(SCOPE_EXECUTIONS_READ, "executions:read", "look at executions, their steps and events")      \
    X(SCOPE_EXECUTIONS_WRITE, "executions:write", "start, cancel, retry, fork, message, delete")   \
    X(SCOPE_WORKFLOWS_READ, "workflows:read", "look at workflows")                                 \
    X(SCOPE_WORKFLOWS_WRITE, "workflows:write", "change workflows")                                \
    X(SCOPE_CRON_READ, "cron:read", "look at schedules")                                           \
    X(SCOPE_CRON_WRITE, "cron:write", "create, change, trigger and delete schedules")              \
    X(SCOPE_QUEUES_READ, "queues:read", "look at queues")                                          \
    X(SCOPE_QUEUES_WRITE, "queues:write", "change, pause and resume queues")                       \
    X(SCOPE_WORKERS_READ, "workers:read", "look at workers")                                       \
    X(SCOPE_WEBHOOKS_READ, "webhooks:read", "look at webhooks and their deliveries")               \
    X(SCOPE_WEBHOOKS_WRITE, "webhooks:write", "create, change, delete webhooks, deliver again")    \
    X(SCOPE_KEYS_READ, "keys:read", "look at keys, never at their secrets")                        \
    X(SCOPE_KEYS_WRITE, "keys:write", "create, rotate and revoke keys")                            \
    X(SCOPE_METRICS_READ, "metrics:read", "read /metrics")                                         \
    X(SCOPE_SERVERS_WRITE, "servers:write", "register backend servers and run tasks on them")

#define SCOPE_ENUM(id, name, text) id,
enum scope { SCOPE_MAP(SCOPE_ENUM) SCOPES };
#undef SCOPE_ENUM

const char *scope_name(enum scope s);
const char *scope_text(enum scope s);
/* The scope of that name, or -1. */
int scope_find(const char *name);

/* Sets of scopes are bits: 1u << scope. */
#define SCOPE_ALL ((UINT32_C(1) << SCOPES) - 1)

/* Sets as texts: names with blanks between them, as the database and tokens have them; "*" is all,
 * also those of later versions. */
enum { SCOPE_NAME_SIZE = 64, SCOPE_TEXT_SIZE = 1024 };
/* Takes the next name off the text; false at its end.  One that is too long comes cut. */
bool scope_next(const char **text, char ret_name[SCOPE_NAME_SIZE]);
/* Names that are not there count nothing. */
uint32_t scope_read(const char *text);
void scope_write(uint32_t set, char ret[SCOPE_TEXT_SIZE]);

#endif
