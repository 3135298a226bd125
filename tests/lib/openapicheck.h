/*
 * tests/lib/openapicheck.h - the rules of OpenAPI 3.1 that a document made from tables can break.
 *
 * JSON without duplicate keys; every $ref leads somewhere; operation ids are unique; the names in a
 * path are its path parameters, all of them and no other; no parameter comes twice; each operation
 * has a tag that is described, a summary, a security that is defined and a success; a component
 * that nothing uses is a mistake (but those of `spare`, separated by spaces).
 */
#ifndef LIB_OPENAPICHECK_H
#define LIB_OPENAPICHECK_H

#include "base/jsonscan.h"

/* Fails the test with what is wrong. */
void openapicheck(struct slice document, const char *spare);
/* How many operations it has. */
int openapicheck_operations(struct slice document);

#endif
