/*
 * tests/programs/crashy.c - the worker that the crash tests kill: its one workflow is in
 * tests/lib/crashtest_flow.c, CRASHY_LEDGER names the file that its steps write to.
 */
#include "lib/crashtest_flow.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("crashy");
    const char *ledger = getenv("CRASHY_LEDGER");

    if (ledger && crashtest_flow_ledger(ledger) != 0) {
        perror(ledger);
        return EXIT_FAILURE;
    }
    ifp_workflow(app, CRASHTEST_WORKFLOW, crashtest_flow, NULL);
    return ifp_main(app, argc, argv);
}
