/*
 * tests/sim/schedule.h - who there is in a schedule.
 */
#ifndef TESTS_SIM_SCHEDULE_H
#define TESTS_SIM_SCHEDULE_H

#include <stdint.h>

/* Tells every worker that listens; some do not hear it. */
void schedule_notify(int64_t lane);

#endif
