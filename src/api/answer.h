/*
 * api/answer.h - writes the JSON of an answer, member after member, into the request's arena.
 *
 *   answer_begin, answer_object(a, NULL), answer_text(a, "id", id) ... answer_close(a), answer_send
 *
 * Names are ours and go out as they are; texts are quoted; values of users are raw slices and leave
 * byte for byte.  What is not there (a NULL text, a slice without text, time 0) is left out.  Fails
 * sticky: answer_send answers 503 when memory ran out meanwhile.  In an array the name is NULL.
 */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include "api/body.h"
#include "http/request.h"

struct answer {
    struct arena *arena; /* borrowed */
    char *text;          /* in the arena */
    size_t len, cap;
    uint64_t arrays; /* bit n: the n-th open bracket is an array's */
    int depth;
    bool broken;
};

enum { ANSWER_DEPTH_MAX = 32 };

void answer_begin(struct answer *a, struct arena *arena);
void answer_object(struct answer *a, const char *name);
void answer_array(struct answer *a, const char *name);
void answer_close(struct answer *a); /* the innermost */
/* Text that is not UTF-8 is repaired. */
void answer_text(struct answer *a, const char *name, const char *value);
void answer_int(struct answer *a, const char *name, int64_t value);
void answer_bool(struct answer *a, const char *name, bool value);
void answer_null(struct answer *a, const char *name);
void answer_raw(struct answer *a, const char *name, struct slice value);
void answer_time(struct answer *a, const char *name, int64_t us); /* since 1970 */
/* An execution's id, as "exe_..."; 0: left out. */
void answer_id(struct answer *a, const char *name, int64_t exec_id);
/* The text so far, all brackets closed; text NULL when memory ran out. */
struct slice answer_end(struct answer *a);
/* answer_end, and the request is finished with it. */
void answer_send(struct answer *a, struct http_request *r, int status);

/* An error with more to it than its code and text; members may be 0 or NULL. */
struct answer_problem {
    const char *code;        /* in place of the error's name: an execution's own */
    int status;              /* in place of the code's */
    int64_t execution;       /* which it is about */
    const struct body *body; /* whose mistakes it lists */
};
/* Finishes the request with it. */
void answer_problem(struct http_request *r, const struct err *e, const struct answer_problem *p);
/* What the client is told of an error that came from the database: of one that is not the request's
 * own doing only what it is.  The text is for the log. */
void answer_tell(struct http_request *r, const struct err *e, struct err *ret);
/* Writes the members of the error into an open object: also an item of a bulk answer. */
void answer_error_members(struct answer *a, const struct err *e, const struct answer_problem *p);

#endif
