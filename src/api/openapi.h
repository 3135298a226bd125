/*
 * api/openapi.h - the OpenAPI 3.1 document, made from the tables of routes, and the page that shows
 * it.
 *
 * The tables say which routes there are; schemas.json, embedded at build, says what their names
 * mean: schemas, parameters by place and name, tags, and what single operations add.  Both texts
 * are made once, at start, and answered from memory.
 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "http/route.h"

struct openapi;

/* `url` is how clients reach the server (CONFIG_PUBLIC_URL), "" for relative links.  IFP_ESERVER
 * names what a route uses and schemas.json has not. */
int openapi_open(const struct router *routes, const char *url, struct openapi **ret,
                 struct err *e) MUSTCHECK;
void openapi_close(struct openapi *o); /* NULL is fine */
struct slice openapi_text(const struct openapi *o);

/* Finish the request: with the document, with the page, or with 304 when its ETag still holds. */
void openapi_answer(const struct openapi *o, struct http_request *r);
void openapi_answer_docs(const struct openapi *o, struct http_request *r);

/* For the build: gen/texts.c. */
extern const char openapi_schemas[];
extern const char openapi_page[];

#endif
