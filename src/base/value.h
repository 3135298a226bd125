/*
 * base/value.h - what an ifp_json is: a slice of checked JSON text and the arena it belongs to.
 *
 * The text is immutable; the arena takes what the getters have to make (decoded strings, slices of
 * slices).  An owner is the first member of ifp_run and ifp_step_ctx, so that ifp_json_build and
 * ifp_json_parse serve both; the magic number catches any other pointer.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/jsonscan.h"

#include <inferpipe.h>
#include <stdint.h>

enum { VALUE_OWNER_MAGIC = 0x1f9a7e33 };

struct value_owner {
    uint32_t magic;
    struct arena *arena; /* borrowed: where values of this owner live */
};

struct ifp_json {
    struct slice slice;  /* zero-terminated when it is a whole document */
    struct arena *arena; /* borrowed */
    bool whole;          /* slice.text[slice.len] is zero */
};

void value_owner_init(struct value_owner *o, struct arena *arena);
/* A value over text that is in the arena already (not copied), checked and zero-terminated. */
const ifp_json *value_wrap(struct arena *a, struct slice text) MUSTCHECK;
/* A value over a copy of checked text. */
const ifp_json *value_copy(struct arena *a, struct slice text) MUSTCHECK;
/* The text; "null" for NULL. */
struct slice value_slice(const ifp_json *value);

#endif
