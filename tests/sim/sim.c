/*
 * tests/sim/sim.c - runs schedules from the command line.
 *
 *   sim [--schedules N] [--seed S] [--mutation NAME] [--trace]
 *
 * Seeds S, S+1, ...; each violation is printed with its seed, `--schedules 1 --seed S --trace` then
 * shows how it came about.  Exit code 1 when there was one.
 */
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct totals {
    struct sim_result sum;
    int violations;
};

static int usage(void)
{
    fprintf(stderr, "usage: sim [--schedules N] [--seed S] [--mutation NAME] [--trace]\n"
                    "mutations:");
    for (int m = 0; m < MUTATIONS; m++)
        fprintf(stderr, " %s", sim_mutation_name((enum sim_mutation)m));
    fputc('\n', stderr);
    return 2;
}

static bool parse_mutation(const char *name, enum sim_mutation *ret)
{
    for (int m = 0; m < MUTATIONS; m++) {
        *ret = (enum sim_mutation)m;
        if (strcmp(name, sim_mutation_name(*ret)) == 0)
            return true;
    }
    return false;
}

static bool parse(int argc, char **argv, struct sim_options *o, uint64_t *schedules)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(argv[i], "--trace") == 0) {
            o->trace = true;
            continue;
        }
        if (!value)
            return false;
        if (strcmp(argv[i], "--schedules") == 0)
            *schedules = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            o->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--mutation") != 0 || !parse_mutation(value, &o->mutation))
            return false;
        i++;
    }
    return true;
}

static void add(struct totals *t, uint64_t seed, const struct sim_result *r)
{
    t->sum.events += r->events;
    t->sum.statements += r->statements;
    t->sum.bodies += r->bodies;
    t->sum.takeovers += r->takeovers;
    t->sum.faults += r->faults;
    t->sum.completed += r->completed;
    t->sum.canceled += r->canceled;
    if (!r->violation[0])
        return;
    t->violations++;
    printf("seed %" PRIu64 ": %s\n", seed, r->violation);
}

int main(int argc, char **argv)
{
    struct sim_options o = { .seed = 1 };
    struct totals t = { .violations = 0 };
    uint64_t schedules = 1000, first;

    if (!parse(argc, argv, &o, &schedules))
        return usage();
    first = o.seed;
    for (; o.seed < first + schedules; o.seed++) {
        struct sim_result r;

        sim_run(&o, &r);
        add(&t, o.seed, &r);
        fflush(stdout);
    }
    printf("%" PRIu64 " schedules: %" PRId64 " events, %" PRId64 " statements, %" PRId64
           " bodies, %" PRId64 " faults, %" PRId64 " take-overs, %d completed, %d canceled\n",
           schedules, t.sum.events, t.sum.statements, t.sum.bodies, t.sum.faults, t.sum.takeovers,
           t.sum.completed, t.sum.canceled);
    printf("violations: %d\n", t.violations);
    return t.violations > 0;
}
