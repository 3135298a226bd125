/*
 * app/child.h - starts a process that ends with us.
 *
 * The child is a process group of its own (Ctrl-C reaches only the parent, which then ends its
 * children in order), gets `death_signal` when the parent dies however it dies, has default signal
 * handling and /dev/null as stdin.  No shell is involved.
 */
#ifndef APP_CHILD_H
#define APP_CHILD_H

#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum { CHILD_GROUPS_MAX = 64, CHILD_TEXT_SIZE = 64 };

struct child_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[CHILD_GROUPS_MAX];
    int group_count;
};

struct child_spec {
    const char *file;              /* path of the program */
    char *const *argv;             /* ends with NULL */
    const char *env;               /* one more variable, "NAME=value"; NULL: none */
    const struct child_user *user; /* NULL: as we are */
    const char *folder;            /* working directory; NULL: ours */
    int output_fd;                 /* for stdout and stderr; -1: ours */
    int death_signal;
};

/* IFP_ENOTFOUND when there is no such user. */
int child_find_user(const char *name, struct child_user *ret, struct err *e) MUSTCHECK;
/* The child exits with 127 when the program cannot be run (and says why on its stderr). */
int child_spawn(const struct child_spec *s, pid_t *ret_pid, struct err *e) MUSTCHECK;
/* Spawns and waits; *ret_status is waitpid's. */
int child_run(const struct child_spec *s, int *ret_status, struct err *e) MUSTCHECK;
/* Whether this user may pass through the folder. */
int child_can_enter(const struct child_user *user, const char *folder, bool *ret,
                    struct err *e) MUSTCHECK;
/* "exit code 3" or "killed by signal 9 (Killed)". */
void child_describe(int status, char ret[CHILD_TEXT_SIZE]);

#endif
