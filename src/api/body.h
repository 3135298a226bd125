/*
 * api/body.h - reads a JSON body into a struct by a table of its fields, and says all that is
 * wrong.
 *
 *   static const struct body_field fields[] = {
 *       BODY_FIELD("name", BODY_SLUG, struct wanted, name, .required = true),
 *       BODY_FIELD("limit", BODY_INT, struct wanted, limit, .min = 1, .max = 1000),
 *   };
 *
 * Strict: the text must be JSON without duplicate keys, an object, and have no field that the table
 * does not name.  An empty body reads as {}.  A field that is not required may be null, which is
 * the same as leaving it out, but for BODY_VALUE, where null is a value.  What is left out leaves
 * its member untouched, so defaults are set before.  Each mistake is noted under its JSON Pointer,
 * up to BODY_ERRORS_MAX of them; the handler's own rules add theirs with body_refuse.
 *
 * Texts are decoded into the arena; BODY_VALUE and its kin are slices of the body, byte for byte.
 */
#ifndef API_BODY_H
#define API_BODY_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/jsonscan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_type {
    BODY_TEXT,   /* const char *; min and max are bytes */
    BODY_SLUG,   /* const char *; a name as the database takes it */
    BODY_WORD,   /* int: the place of the text in `words` */
    BODY_INT,    /* int64_t, min to max */
    BODY_BOOL,   /* bool */
    BODY_TIME,   /* int64_t: microseconds since 1970 of an RFC 3339 time */
    BODY_VALUE,  /* struct slice: any JSON; max is bytes (0: no limit of its own) */
    BODY_OBJECT, /* struct slice: any object; max as above */
    BODY_ARRAY,  /* struct slice: any array; min and max are elements */
    BODY_GROUP   /* an object whose own `fields` fill the same struct */
};

struct body_field {
    const char *name;
    enum body_type type;
    size_t offset; /* of its member */
    int64_t min, max;
    bool required;
    const char *const *words; /* ends with NULL */
    const struct body_field *fields;
    size_t count;
};

#define BODY_FIELD(field, kind, where, member, ...)                                                \
    {                                                                                              \
        .name = field, .type = kind, .offset = offsetof(where, member), __VA_ARGS__                \
    }

enum { BODY_ERRORS_MAX = 16, BODY_POINTER_MAX = 256 };

struct body_error {
    const char *pointer, *message; /* in the arena */
};

struct body {
    struct arena *arena; /* borrowed */
    struct body_error errors[BODY_ERRORS_MAX];
    int error_count;
};

void body_init(struct body *b, struct arena *a);
/* 0, or what body_result gives.  `at` is the pointer that json itself has, "" for a whole body. */
int body_read(struct body *b, struct slice json, const char *at, const struct body_field *fields,
              size_t count, void *ret, struct err *e) MUSTCHECK;
/* The same for a text that was checked before: an element of an array, say. */
int body_read_checked(struct body *b, struct slice json, const char *at,
                      const struct body_field *fields, size_t count, void *ret,
                      struct err *e) MUSTCHECK;
/* Notes another mistake; both texts are copied. */
void body_refuse(struct body *b, const char *pointer, const char *format, ...) PRINTF_LIKE(3, 4);
/* 0 when nothing was noted, else IFP_EINVALID, with the first of them in e. */
int body_result(const struct body *b, struct err *e) MUSTCHECK;

#endif
