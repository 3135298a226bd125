/*
 * http/transfer.c - a call in libcurl's words.
 *
 * URLs are read by curl_url() alone, the parser that also connects, so that a check and a
 * connection cannot disagree.  The egress policy sits in on_open_socket: curl calls it with the
 * address that it is about to connect to, on every hop.  Only what an address rule or the policy
 * lets pass gets a socket.
 *
 * Bounds: the answer's body is cut at answer_max and its head at HEAD_MAX by failing the write,
 * which ends the transfer.  Curl's own waiting for a name that does not resolve is in a thread; a
 * call that is canceled meanwhile leaves that thread to itself instead of waiting for it.
 */
#include "http/transfer.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/egress.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_MAX = 65536,
    URL_MAX = 2048,
    CONNECT_MS = 10000,
    TOTAL_MS = 60000,
    ANSWER_MAX = 1 << 20,
    IDLE_S = 60 /* how long a connection waits for another call */
};

struct transfer {
    struct http_call *call;      /* borrowed */
    const struct egress *egress; /* borrowed */
    CURL *easy;                  /* owned */
    struct curl_slist *headers;  /* owned */
    size_t answer_max;
    bool too_large;
    char why[32]; /* what kind of address was refused */
    char text[CURL_ERROR_SIZE];
};

static int fail(struct http_call *call, enum http_failure failure, int code, const char *text)
{
    call->failure = failure;
    return err_set(&call->err, code, "%s", text);
}

/* ---- URLs ----------------------------------------------------------------------------------- */

static bool is_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(u, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return there;
}

static int check_parts(CURLU *u, struct err *e)
{
    char *scheme = NULL;
    bool ok = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

    curl_free(scheme);
    if (!ok)
        return err_set(e, IFP_EINVALID, "url: must begin with http:// or https://");
    if (is_part(u, CURLUPART_USER) || is_part(u, CURLUPART_PASSWORD))
        return err_set(e, IFP_EINVALID, "url: must not have a user name or password in it");
    if (!is_part(u, CURLUPART_HOST))
        return err_set(e, IFP_EINVALID, "url: has no host");
    return 0;
}

static int parse_url(const char *url, CURLU **ret, struct err *e)
{
    CURLU *u = NULL;
    CURLUcode code;
    int rc;

    if (!url || strlen(url) > URL_MAX)
        return err_set(e, IFP_EINVALID, "url: must be 1 to %d bytes", URL_MAX);
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            return err_set(e, IFP_EINVALID, "url: must be printable ASCII without spaces");
    u = curl_url();
    if (!u)
        return err_set(e, IFP_ENOMEM, "url: out of memory");
    code = curl_url_set(u, CURLUPART_URL, url, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        rc = err_set(e, IFP_ENOMEM, "url: out of memory");
    else if (code != CURLUE_OK)
        rc = err_set(e, IFP_EINVALID, "url: %s", curl_url_strerror(code));
    else
        rc = check_parts(u, e);
    if (rc != 0)
        curl_url_cleanup(u);
    else
        *ret = u;
    return rc;
}

int http_url_check(const char *url, struct err *e)
{
    CURLU *u = NULL;
    int rc = parse_url(url, &u, e);

    if (rc == 0)
        curl_url_cleanup(u);
    return rc;
}

int transfer_origin(struct http_call *call, char *ret, size_t size)
{
    char *host = NULL, *port = NULL, *scheme = NULL;
    CURLU *u = NULL;
    int rc = parse_url(call->url, &u, &call->err);

    if (rc != 0) {
        call->failure = rc == IFP_ENOMEM ? HTTP_FAILURE_OVERLOADED : HTTP_FAILURE_INVALID;
        return rc;
    }
    if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
        snprintf(ret, size, "%s://%s:%s", scheme, host, port);
    else
        rc = fail(call, HTTP_FAILURE_OVERLOADED, IFP_ENOMEM, "url: out of memory");
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return rc;
}

/* The host of the hop under way; "" when memory is out, which no rule names. */
static void hop_host(CURL *easy, char *ret, size_t size)
{
    char *url = NULL, *host = NULL;
    CURLU *u = curl_url();

    ret[0] = '\0';
    if (u && curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url &&
        curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        snprintf(ret, size, "%s", host);
    curl_free(host);
    curl_url_cleanup(u);
}

/* ---- what curl asks while it works ---------------------------------------------------------- */

static void show_address(const struct sockaddr *a, char *ret, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *in = (const void *)a;
    const struct sockaddr_in6 *in6 = (const void *)a;

    if (a->sa_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        snprintf(ret, size, "%s:%u", text, ntohs(in->sin_port));
    } else if (a->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        snprintf(ret, size, "[%s]:%u", text, ntohs(in6->sin6_port));
    }
}

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *t = ctx;
    const char *why = "not IP";
    char host[256];

    hop_host(t->easy, host, sizeof(host));
    if (purpose != CURLSOCKTYPE_IPCXN ||
        (t->egress && !egress_allows(t->egress, host, &a->addr, &why))) {
        t->call->refused = true;
        snprintf(t->why, sizeof(t->why), "%s", why);
        show_address(&a->addr, t->call->address, sizeof(t->call->address));
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_body(char *data, size_t one, size_t len, void *ctx)
{
    struct transfer *t = ctx;
    struct buf *b = &t->call->answer;

    assert(one == 1);
    if (len > t->answer_max - MIN(b->len, t->answer_max)) {
        t->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buf_put(b, data, len);
    return buf_broken(b) ? CURL_WRITEFUNC_ERROR : len;
}

/* Only the last of several answers counts (100, redirects): each begins with its status line. */
static size_t on_head(char *data, size_t one, size_t len, void *ctx)
{
    struct transfer *t = ctx;
    struct buf *b = &t->call->head;

    assert(one == 1);
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        buf_reset(b);
        buf_reset(&t->call->answer);
        return len;
    }
    if (b->len + len > HEAD_MAX) {
        t->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buf_put(b, data, len);
    return buf_broken(b) ? CURL_WRITEFUNC_ERROR : len;
}

/* ---- options -------------------------------------------------------------------------------- */

#define SET(option, value) ok = ok && curl_easy_setopt(t->easy, option, value) == CURLE_OK

static bool set_policy(struct transfer *t, const struct transfer_options *o)
{
    const struct http_call *call = t->call;
    bool ok = true;

    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, call->redirects > 0 ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)call->redirects);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, t);
    if (o->resolve)
        SET(CURLOPT_RESOLVE, o->resolve);
    if (o->ca_file)
        SET(CURLOPT_CAINFO, o->ca_file);
    return ok;
}

static bool set_request(struct transfer *t, const struct transfer_options *o)
{
    const struct http_call *call = t->call;
    bool ok = true;

    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_USERAGENT, o->agent);
    if (call->body.text) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, call->body.text);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    }
    if (call->method && strcmp(call->method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    else if (call->method)
        SET(CURLOPT_CUSTOMREQUEST, call->method);
    SET(CURLOPT_HTTPHEADER, t->headers);
    return ok;
}

static bool set_working(struct transfer *t)
{
    const struct http_call *call = t->call;
    bool ok = true;

    SET(CURLOPT_PRIVATE, t->call);
    SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_MAXAGE_CONN, (long)IDLE_S);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(call->connect_ms ? call->connect_ms : CONNECT_MS));
    SET(CURLOPT_TIMEOUT_MS, (long)(call->total_ms ? call->total_ms : TOTAL_MS));
    SET(CURLOPT_ERRORBUFFER, t->text);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_head);
    SET(CURLOPT_HEADERDATA, t);
    return ok;
}

/* Curl sends what it is given: a line break in a header would be another header. */
static bool is_line(const char *text, const char *also)
{
    for (const char *c = text; *c; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f || strchr(also, *c))
            return false;
    return *text != '\0';
}

static bool add_header(struct transfer *t, const char *line)
{
    struct curl_slist *grown = curl_slist_append(t->headers, line);

    if (grown)
        t->headers = grown;
    return grown != NULL;
}

/* The call is a span of its own: whoever is called hangs under that. */
static bool add_traceparent(struct transfer *t)
{
    static const char name[] = "traceparent: ";
    char line[sizeof(name) + TRACEPARENT_SIZE];
    struct traceparent trace = t->call->trace;

    trace.span = t->call->span;
    memcpy(line, name, sizeof(name) - 1);
    traceparent_format(&trace, line + sizeof(name) - 1);
    return add_header(t, line);
}

static int set_headers(struct transfer *t)
{
    struct http_call *call = t->call;

    if (call->method && !is_line(call->method, " \t\"(),/:;<=>?@[\\]{}"))
        return fail(call, HTTP_FAILURE_INVALID, IFP_EINVALID, "method: is not a token");
    /* Waiting for "100 Continue" costs a round trip, or a second where nobody sends it. */
    if (!add_header(t, "Expect:"))
        return fail(call, HTTP_FAILURE_OVERLOADED, IFP_ENOMEM, "out of memory");
    for (const char *const *h = call->headers; h && *h; h++) {
        if (!is_line(*h, "") || !strchr(*h, ':'))
            return fail(call, HTTP_FAILURE_INVALID, IFP_EINVALID,
                        "header: is not one line of \"name: value\"");
        if (!add_header(t, *h))
            return fail(call, HTTP_FAILURE_OVERLOADED, IFP_ENOMEM, "out of memory");
    }
    if (call->span != 0 && !add_traceparent(t))
        return fail(call, HTTP_FAILURE_OVERLOADED, IFP_ENOMEM, "out of memory");
    return 0;
}

int transfer_open(const struct transfer_options *o, struct http_call *call)
{
    struct transfer *t = mem_zalloc(sizeof(*t));
    int rc;

    assert(!call->transfer);
    if (!t)
        return fail(call, HTTP_FAILURE_OVERLOADED, IFP_ENOMEM, "out of memory");
    call->transfer = t;
    t->call = call;
    t->egress = o->egress;
    t->answer_max = call->answer_max ? call->answer_max : ANSWER_MAX;
    rc = set_headers(t);
    t->easy = rc == 0 ? curl_easy_init() : NULL;
    if (rc == 0 && (!t->easy || !set_policy(t, o) || !set_request(t, o) || !set_working(t)))
        rc = fail(call, HTTP_FAILURE_OVERLOADED, IFP_ENOMEM, "out of memory");
    if (rc != 0)
        transfer_close(call);
    return rc;
}

void transfer_close(struct http_call *call)
{
    struct transfer *t = call->transfer;

    call->transfer = NULL;
    if (!t)
        return;
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    mem_free(t);
}

CURL *transfer_easy(const struct http_call *call)
{
    return ((const struct transfer *)call->transfer)->easy;
}

struct http_call *transfer_call(CURL *easy)
{
    char *call = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
    assert(call);
    return (struct http_call *)(void *)call;
}

/* ---- the outcome ---------------------------------------------------------------------------- */

static void note_peer(struct http_call *call, CURL *easy)
{
    char *ip = NULL;
    long port = 0;

    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    if (ip && *ip)
        snprintf(call->address, sizeof(call->address), strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip,
                 port);
}

static enum http_failure failure_of(CURLcode code)
{
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED:
        return HTTP_FAILURE_INVALID;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return HTTP_FAILURE_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return HTTP_FAILURE_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_FAILURE_TIMEOUT;
    case CURLE_TOO_MANY_REDIRECTS:
        return HTTP_FAILURE_REDIRECTS;
    case CURLE_OUT_OF_MEMORY:
        return HTTP_FAILURE_OVERLOADED;
    default:
        return HTTP_FAILURE_BROKEN;
    }
}

/* A host may have several addresses: one that was refused says nothing once another answered. */
void transfer_finish(struct http_call *call, CURLcode code)
{
    struct transfer *t = call->transfer;
    long status = 0;

    if (code == CURLE_OK) {
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        call->status = (int)status;
        note_peer(call, t->easy);
        return;
    }
    if (call->refused && failure_of(code) == HTTP_FAILURE_CONNECT) {
        call->failure = HTTP_FAILURE_REFUSED;
        err_set(&call->err, IFP_EFORBIDDEN, "refused by the egress policy: %s is a %s address",
                call->address, t->why);
    } else if (t->too_large) {
        call->failure = HTTP_FAILURE_TOO_LARGE;
        err_set(&call->err, IFP_ETOOLARGE, "the answer is over %zu bytes", t->answer_max);
    } else {
        call->failure = failure_of(code);
        err_set(&call->err,
                call->failure == HTTP_FAILURE_TIMEOUT   ? IFP_ETIMEOUT
                : call->failure == HTTP_FAILURE_INVALID ? IFP_EINVALID
                                                        : IFP_EUNAVAILABLE,
                "%s", t->text[0] ? t->text : curl_easy_strerror(code));
        note_peer(call, t->easy);
    }
}

struct slice http_call_header(const struct http_call *call, const char *name)
{
    size_t len = strlen(name);
    const char *at = call->head.data, *end = at + call->head.len;

    while (call->head.len != 0 && at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t line = stop ? (size_t)(stop - at) : (size_t)(end - at);

        if (line > len && at[len] == ':' && strncasecmp(at, name, len) == 0) {
            struct slice v = { at + len + 1, line - len - 1 };

            while (v.len != 0 && (*v.text == ' ' || *v.text == '\t'))
                v.text++, v.len--;
            while (v.len != 0 && strchr(" \t\r", v.text[v.len - 1]))
                v.len--;
            return v;
        }
        at += line + 1;
    }
    return (struct slice){ 0 };
}
