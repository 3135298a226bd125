/*
 * tests/lib/crashtest_flow.h - the workflow "crashy" of the crash and fault tests: one execution
 * passes through everything that a worker can die in, and its output says which way it went.
 *
 * Input: "quick" keeps all waits far under a second; "ms" is how long its first step takes; "hang"
 * makes it wait, after that step, for its cancel.
 *
 * Each body of a step appends a line to the ledger before it does anything else, in one write:
 * execution, step key, attempt, pid, monotonic and real time in microseconds, separated by tabs.
 */
#ifndef LIB_CRASHTEST_FLOW_H
#define LIB_CRASHTEST_FLOW_H

#include <inferpipe.h>

#define CRASHTEST_WORKFLOW "crashy"
/* /path of the output of an execution that ran to its end. */
#define CRASHTEST_PATH ",pool,inline,flaky,effect,parked,go,never,last"
/* Journal rows of such an execution, without the intents of its two waits. */
enum { CRASHTEST_ROWS = 11 };

ifp_workflow_fn crashtest_flow;
/* The file is made when it is missing; every body that runs without a ledger fails. */
int crashtest_flow_ledger(const char *path) IFP_MUSTCHECK;
void crashtest_flow_close(void);

#endif
