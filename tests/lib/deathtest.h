/*
 * tests/lib/deathtest.h - did an assert end the process?  Runs `body` in a child and tells whether
 * it died of SIGABRT; its stderr is dropped.
 */
#ifndef LIB_DEATHTEST_H
#define LIB_DEATHTEST_H

#include <stdbool.h>

bool deathtest_aborts(void (*body)(void));

#endif
