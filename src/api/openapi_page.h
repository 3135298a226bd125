/*
 * api/openapi_page.h - for openapi.c: the page that shows the document, whole in one answer.
 *
 * docs.html is a page with one <style>, one <script> and the place of the document.  The policy
 * allows these two, by their hashes, and nothing else: no other script, no request, no frame.
 */
#ifndef API_OPENAPI_PAGE_H
#define API_OPENAPI_PAGE_H

#include "base/err.h"
#include "base/jsonscan.h"

enum { OPENAPI_ETAG_SIZE = 48, OPENAPI_POLICY_SIZE = 320 };

struct openapi_page {
    char *text; /* owned */
    size_t len;
    char policy[OPENAPI_POLICY_SIZE]; /* content-security-policy */
    char etag[OPENAPI_ETAG_SIZE];
};

/* A bug in the page (no <style>, no place for the document) is IFP_ESERVER. */
int openapi_page_open(struct openapi_page *p, const char *page, struct slice document,
                      struct err *e) MUSTCHECK;
void openapi_page_release(struct openapi_page *p);
/* A quoted tag made from the text: it changes when the text does. */
int openapi_page_etag(struct slice text, char ret[OPENAPI_ETAG_SIZE], struct err *e) MUSTCHECK;

#endif
