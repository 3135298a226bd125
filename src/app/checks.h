/*
 * app/checks.h - what each check of `inferpipe doctor` looks for, in words.
 * The checks themselves are SQL (sql/schema/doctor*.sql); a test sees that each has its words here.
 */
#ifndef APP_CHECKS_H
#define APP_CHECKS_H

#include "base/base.h"

#include <stdbool.h>

struct check {
    const char *name;    /* NULL ends the table */
    bool repairable;     /* doctor_repair.sql has something for it */
    const char *meaning; /* what was found, and what follows from it */
    const char *remedy;  /* what to do */
};

/* In the order in which repairs are made: a worker is marked dead before its executions are
 * released. */
extern const struct check checks_table[];
/* NULL when there is no such check. */
const struct check *checks_find(const char *name);

#endif
