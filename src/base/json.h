/*
 * base/json.h - JSON documents whose shape is ours, made and read with cJSON: what the command line
 * prints under --json, metadata, error objects.  User payloads never pass through here but as raw
 * text (jsondoc_add_raw).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/base.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jsondoc; /* opaque: a cJSON node */

/* NULL when memory is out; the adders below take a NULL parent and do nothing, and a document that
 * an adder failed on is not printed, so check once.  Strings that are not UTF-8 are repaired. */
struct jsondoc *jsondoc_object(void);
struct jsondoc *jsondoc_array(void);
void jsondoc_free(struct jsondoc *doc); /* NULL is fine; frees its children too */
/* In an array `key` is NULL.  A NULL string adds null.  False when memory is out. */
bool jsondoc_add_str(struct jsondoc *parent, const char *key, const char *value);
bool jsondoc_add_int(struct jsondoc *parent, const char *key, int64_t value);
bool jsondoc_add_double(struct jsondoc *parent, const char *key, double value);
bool jsondoc_add_bool(struct jsondoc *parent, const char *key, bool value);
bool jsondoc_add_raw(struct jsondoc *parent, const char *key, const char *json);
/* The parent owns `child`, also when this fails. */
bool jsondoc_add(struct jsondoc *parent, const char *key, struct jsondoc *child);
/* Zero-terminated text for mem_free; NULL when memory is out. */
char *jsondoc_print(const struct jsondoc *doc, bool pretty);

#endif
