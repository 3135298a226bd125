/*
 * api/admin.h - what the files of the administration routes share: handlers of the table in
 * admin.c, and pages of listings that the store gives as a whole.
 */
#ifndef API_ADMIN_H
#define API_ADMIN_H

#include "api/answer.h"
#include "api/api.h"
#include "api/offload.h"

route_handler_fn admin_list_workflows;
route_handler_fn admin_get_workflow;
route_handler_fn admin_list_workers;
route_handler_fn admin_list_queues;
route_handler_fn admin_get_queue;
route_handler_fn admin_put_queue;
route_handler_fn admin_patch_queue;
route_handler_fn admin_delete_queue;
route_handler_fn admin_pause_queue;
route_handler_fn admin_resume_queue;
route_handler_fn admin_list_cron;
route_handler_fn admin_get_cron;
route_handler_fn admin_create_cron;
route_handler_fn admin_put_cron;
route_handler_fn admin_delete_cron;
route_handler_fn admin_pause_cron;
route_handler_fn admin_resume_cron;
route_handler_fn admin_trigger_cron;
route_handler_fn admin_cron_history;

/* A page {"data":[...],"nextCursor":...} of rows that come in the order of their names: each row
 * asks admin_page_wants whether it belongs to it, and if so writes one object. */
struct admin_page {
    struct answer answer;
    struct slice after; /* of the cursor: the last name of the page before */
    int64_t limit, count;
    const char *last; /* in the arena: the last name written */
    bool more;
};
enum { ADMIN_LIMIT = 100, ADMIN_LIMIT_MAX = 1000 };

/* Reads `limit` and `cursor`; on failure the request is finished, and false is given. */
bool admin_page_begin(struct admin_page *p, struct http_request *r);
bool admin_page_wants(struct admin_page *p, const char *name);
/* The text of the page; IFP_ENOMEM. */
int admin_page_end(struct admin_page *p, struct slice *ret, struct err *e) MUSTCHECK;
/* A number of the query, `fallback` when it is absent; on failure the request is finished. */
bool admin_query_int(struct http_request *r, const char *name, int64_t min, int64_t max,
                     int64_t fallback, int64_t *ret);
/* Finishes the request: memory ran out. */
void admin_no_memory(struct http_request *r);
/* Pool thread: the answer's text becomes the call's. */
int admin_answer(struct offload_call *call, struct answer *a, struct err *e) MUSTCHECK;

#endif
