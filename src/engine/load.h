/*
 * engine/load.h - a journal on its way from the database into a run: row by row, page by page.
 *
 * load_after and load_rows of the run tell where it stands: the last step key that was taken, and
 * how many rows of the present page counted.  A page that was not full was the last one.
 */
#ifndef ENGINE_LOAD_H
#define ENGINE_LOAD_H

#include "engine/run.h"
#include "store/store.h"

/* IFP_ENONDETERMINISTIC or IFP_ETOOLARGE: the execution cannot be run here, load_text says why.
 * IFP_ENOMEM says nothing about it. */
int load_take(struct ifp_run *run, const struct store_journal_row *row) MUSTCHECK;
const char *load_text(int error);
/* One row alone, of a run in any state whose journal may change: as journal_add. */
int load_add(struct ifp_run *run, const struct store_journal_row *row) MUSTCHECK;

#endif
