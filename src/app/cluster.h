/*
 * app/cluster.h - dev's private PostgreSQL: where it lives, how it is made, started and ended.
 *
 *   FOLDER/lock        held while a `dev` uses the folder
 *   FOLDER/postgres.log
 *   FOLDER/pgdata      the cluster; mode 0700
 *   FOLDER/socket      its only way in: no TCP; mode 0700
 *   FOLDER/env         written by dev: export DATABASE_URL=...
 *
 * PostgreSQL refuses to run as root, so root runs it as user `postgres`.  When that user cannot
 * reach FOLDER (a checkout under /root), pgdata and socket live in a folder made for them under
 * /var/lib (or /tmp) and FOLDER/elsewhere is a link to it.  When the path of the socket is too long
 * for a socket address, FOLDER/socket is a link to a short folder under /tmp.
 */
#ifndef APP_CLUSTER_H
#define APP_CLUSTER_H

#include "app/child.h"
#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { CLUSTER_PATH_SIZE = 512, CLUSTER_URL_SIZE = 1024 };

struct cluster {
    char folder[CLUSTER_PATH_SIZE]; /* absolute */
    char base[CLUSTER_PATH_SIZE];   /* holds pgdata and socket: folder, or the one elsewhere */
    char data[CLUSTER_PATH_SIZE];
    char socket[CLUSTER_PATH_SIZE]; /* short enough */
    char bin[CLUSTER_PATH_SIZE];    /* of PostgreSQL */
    struct child_user user;         /* who runs it, when we are root */
    bool as_user;
    int lock_fd, log_fd; /* -1: none */
    pid_t pid;           /* of the running server; 0: none */
};

/* Takes the folder (IFP_ECONFLICT: another dev has it), makes what is missing, ends a server that a
 * killed dev left behind.  On failure nothing is left to close. */
int cluster_open(struct cluster *k, const char *folder, struct err *e) MUSTCHECK;
int cluster_start(struct cluster *k, int max_connections, struct err *e) MUSTCHECK;
/* Asks the server to end: its sessions are ended (now: without a checkpoint). */
void cluster_stop(const struct cluster *k, bool now);
/* True once the server has ended; then *ret_status is waitpid's.  Does not wait. */
bool cluster_reap(struct cluster *k, int *ret_status);
/* The server must have ended. */
void cluster_close(struct cluster *k);
/* The connection URL of one of its databases. */
void cluster_url(const struct cluster *k, const char *database, char ret[CLUSTER_URL_SIZE]);

#endif
