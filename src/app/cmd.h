/*
 * app/cmd.h - the handlers of the commands, and what they share.
 *
 * A handler prints its answer on stdout, as text or with --json as JSON, and gives 0; or an IFP_E*
 * with its text in `e`, which the caller reports; or a positive exit code when all is said.
 */
#ifndef APP_CMD_H
#define APP_CMD_H

#include "app/cli.h"
#include "app/table.h"
#include "base/buf.h"
#include "base/json.h"
#include "store/client.h"

#include <stdint.h>

cli_run_fn cmd_dev_run;
cli_run_fn cmd_serve_run;
cli_run_fn cmd_worker_run;
cli_run_fn cmd_list_workers;
cli_run_fn cmd_migrate_run;
cli_run_fn cmd_list_workflows;
cli_run_fn cmd_execution_start;
cli_run_fn cmd_execution_list;
cli_run_fn cmd_execution_get;
cli_run_fn cmd_execution_steps;
cli_run_fn cmd_live_state;
cli_run_fn cmd_live_events;
cli_run_fn cmd_execution_send;
cli_run_fn cmd_execution_cancel;
cli_run_fn cmd_execution_retry;
cli_run_fn cmd_execution_fork;
cli_run_fn cmd_watch_run;
cli_run_fn cmd_queue_list;
cli_run_fn cmd_queue_get;
cli_run_fn cmd_queue_set;
cli_run_fn cmd_queue_pause;
cli_run_fn cmd_queue_resume;
cli_run_fn cmd_queue_delete;
cli_run_fn cmd_cron_create;
cli_run_fn cmd_cron_list;
cli_run_fn cmd_cron_get;
cli_run_fn cmd_cron_next;
cli_run_fn cmd_cron_pause;
cli_run_fn cmd_cron_resume;
cli_run_fn cmd_cron_trigger;
cli_run_fn cmd_cron_history;
cli_run_fn cmd_cron_delete;
cli_run_fn cmd_key_create;
cli_run_fn cmd_key_list;
cli_run_fn cmd_key_revoke;
cli_run_fn cmd_key_rotate;
cli_run_fn cmd_key_secret;
cli_run_fn cmd_key_workspace;
cli_run_fn cmd_key_workspaces;
cli_run_fn cmd_webhook_create;
cli_run_fn cmd_webhook_list;
cli_run_fn cmd_webhook_get;
cli_run_fn cmd_webhook_set;
cli_run_fn cmd_webhook_delete;
cli_run_fn cmd_webhook_rotate;
cli_run_fn cmd_webhook_secret;
cli_run_fn cmd_webhook_test;
cli_run_fn cmd_webhook_deliveries;
cli_run_fn cmd_webhook_redeliver;
cli_run_fn cmd_plan_run;
cli_run_fn cmd_doctor_run;
cli_run_fn cmd_retention_show;
cli_run_fn cmd_retention_set;
cli_run_fn cmd_retention_run;
cli_run_fn cmd_retention_delete;
cli_run_fn cmd_bench_run;
cli_run_fn cmd_bench_worker;
cli_run_fn cmd_config_show;
cli_run_fn cmd_completion_print;
cli_run_fn cmd_help_version;
cli_run_fn cmd_help_show;

/* A client for the configured database and workspace.  It connects with the first call. */
int cmd_client(const struct cli *c, struct client *ret, struct err *e) MUSTCHECK;
/* The same, connected, with the schema checked; on failure nothing is left to release. */
int cmd_client_ready(const struct cli *c, struct client *ret, struct err *e) MUSTCHECK;
/* The execution id in the first argument. */
int cmd_id(const struct cli *c, int64_t *ret_id, struct err *e) MUSTCHECK;
/* The option's time (civil_parse) in milliseconds since 1970; it must have been given. */
int cmd_time(const struct cli *c, const char *name, int64_t *ret_ms, struct err *e) MUSTCHECK;
/* Reads a value given as JSON, as @FILE or as - (stdin) into `into`.  It is bounded by the payload
 * limit, its JSON is checked by the store. */
int cmd_value(const struct cli *c, const char *field, const char *text, struct buf *into,
              struct err *e) MUSTCHECK;

/* Prints and frees the document, on one line unless stdout is a terminal. */
int cmd_print(struct jsondoc *doc, struct err *e) MUSTCHECK;
/* The same on one line in any case: for commands that print many. */
int cmd_print_line(struct jsondoc *doc, struct err *e) MUSTCHECK;
/* Prints a list: a table, or under --json {"<key>": [...]}.  Releases the table. */
int cmd_print_table(const struct cli *c, struct table *t, const char *key, struct err *e) MUSTCHECK;
/* What an ended execution's command exits with: 1 when it failed or was canceled. */
int cmd_exit_code(enum ifp_status status);
/* The status in words: "queued", "running", ... */
const char *cmd_status(enum ifp_status status);

#endif
