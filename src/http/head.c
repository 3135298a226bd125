/*
 * http/head.c - the rules of head.h, one function each; the first that is broken decides.
 *
 * Why so strict: a proxy in front may read a doubtful head in another way than we do, and what it
 * takes for a part of one request would be another request here.  An honest client never sends one.
 */
#include "http/head.h"

#include <string.h>
#include <strings.h>

static bool is_text(struct slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.text, text, s.len) == 0;
}

static bool is_word(struct slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.text, word, s.len) == 0;
}

static int refuse(struct parse_fault *ret, int status, const char *why)
{
    *ret = (struct parse_fault){ status, why };
    return -1;
}

/* ---- headers that come once ---- */

/* Each has one meaning at most: two of them would leave it to chance which one counts. */
enum { HOST, LENGTH, CODING, EXPECT, CONNECTION, SINGLES_USED };
static const char *const singles[] = {
    [HOST] = "host",
    [LENGTH] = "content-length",
    [CODING] = "transfer-encoding",
    [EXPECT] = "expect",
    [CONNECTION] = "connection",
    "authorization",
    "idempotency-key",
    "content-type",
    "content-encoding",
    "x-inferpipe-workspace",
    "last-event-id",
};

static int find_singles(const struct parse_head *head, struct slice found[SINGLES_USED],
                        struct parse_fault *ret)
{
    bool seen[ARRAY_LEN(singles)] = { false };

    for (size_t i = 0; i < head->count; i++) {
        for (size_t k = 0; k < ARRAY_LEN(singles); k++) {
            if (!is_text(head->headers[i].name, singles[k]))
                continue;
            if (seen[k])
                return refuse(ret, 400, "a header that must come once comes twice");
            seen[k] = true;
            if (k < SINGLES_USED)
                found[k] = head->headers[i].value;
        }
    }
    return 0;
}

/* ---- host ---- */

static bool is_host(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.text[i];

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
              (c && strchr("-._~:[]%", c))))
            return false;
    }
    return s.len > 0;
}

static int judge_host(int minor, struct slice host, struct parse_fault *ret)
{
    if (!host.text)
        return minor == 0 ? 0 : refuse(ret, 400, "there is no Host");
    return is_host(host) ? 0 : refuse(ret, 400, "Host is malformed");
}

/* ---- framing ---- */

static bool is_length(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.text[i] < '0' || s.text[i] > '9')
            return false;
    return s.len > 0 && s.len <= 18 && (s.len == 1 || s.text[0] != '0');
}

static int judge_framing(int minor, const struct slice found[SINGLES_USED], bool has_body,
                         struct parse_fault *ret)
{
    struct slice coding = found[CODING], length = found[LENGTH];

    if (coding.text && length.text)
        return refuse(ret, 400, "Transfer-Encoding and Content-Length exclude each other");
    if (coding.text && minor == 0)
        return refuse(ret, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (coding.text && !is_text(coding, "chunked"))
        return refuse(ret, 400, "Transfer-Encoding must be chunked");
    if (length.text && !is_length(length))
        return refuse(ret, 400, "Content-Length must be a plain number");
    /* The parser must have read the same from them. */
    if (has_body != (coding.text || (length.text && !is_text(length, "0"))))
        return refuse(ret, 400, "the length of the body is in doubt");
    return 0;
}

static int judge_expect(int minor, struct slice expect, struct head_facts *ret,
                        struct parse_fault *ret_fault)
{
    if (!expect.text)
        return 0;
    if (!is_word(expect, "100-continue"))
        return refuse(ret_fault, 417, "only 100-continue can be expected");
    ret->expects = minor == 1;
    return 0;
}

/* ---- connection ---- */

static bool has_option(struct slice list, const char *option)
{
    size_t i = 0;

    while (i < list.len) {
        struct slice word;

        while (i < list.len && strchr(" \t,", list.text[i]))
            i++;
        word.text = list.text + i;
        while (i < list.len && !strchr(" \t,", list.text[i]))
            i++;
        word.len = (size_t)(list.text + i - word.text);
        if (is_word(word, option))
            return true;
    }
    return false;
}

static void judge_connection(int minor, struct slice connection, struct head_facts *ret)
{
    bool close = connection.text && has_option(connection, "close");
    bool keep = connection.text && has_option(connection, "keep-alive");

    ret->keep = !close && (minor == 1 || keep);
}

/* ---- target ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Each byte of the path as it would be decoded; dots counts those that a segment consists of. */
static int judge_path(struct slice path, struct parse_fault *ret)
{
    size_t length = 0, dots = 0; /* of the segment */

    for (size_t i = 1; i <= path.len; i++) {
        int c = i < path.len ? (unsigned char)path.text[i] : '/';

        if (c == '/') {
            if (length > 0 && length == dots && dots <= 2)
                return refuse(ret, 400, "the path has a segment of dots");
            if (length == 0 && i < path.len)
                return refuse(ret, 400, "the path has an empty segment");
            length = dots = 0;
            continue;
        }
        if (c == '%') {
            if (i + 2 >= path.len || hex(path.text[i + 1]) < 0 || hex(path.text[i + 2]) < 0)
                return refuse(ret, 400, "the path is not percent-encoded as it should be");
            c = hex(path.text[i + 1]) * 16 + hex(path.text[i + 2]);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
            return refuse(ret, 400, "the path holds a character that it may not");
        length++;
        dots += c == '.';
    }
    return 0;
}

/* Takes "http://host" off the front; the host must be that of the header. */
static int strip_authority(struct slice *target, struct slice host, struct parse_fault *ret)
{
    size_t skip = 0, end;

    if (target->len >= 7 && strncasecmp(target->text, "http://", 7) == 0)
        skip = 7;
    else if (target->len >= 8 && strncasecmp(target->text, "https://", 8) == 0)
        skip = 8;
    else
        return refuse(ret, 400, "the target is neither a path nor a URL");
    for (end = skip; end < target->len && !strchr("/?", target->text[end]); end++)
        ;
    if (!host.text || host.len != end - skip ||
        strncasecmp(target->text + skip, host.text, host.len) != 0)
        return refuse(ret, 400, "the host of the target is not that of the header Host");
    target->text += end;
    target->len -= end;
    if (target->len == 0 || target->text[0] != '/')
        return refuse(ret, 400, "the target has no path");
    return 0;
}

static int judge_target(struct slice host, struct http_request *r, struct parse_fault *ret)
{
    struct slice target = r->target;
    const char *mark;

    if (is_text(target, "*") && r->method == HTTP_OPTIONS) {
        r->path = target;
        return 0;
    }
    if (target.text[0] != '/' && strip_authority(&target, host, ret) < 0)
        return -1;
    if (memchr(target.text, '#', target.len))
        return refuse(ret, 400, "the target has a fragment");
    mark = memchr(target.text, '?', target.len);
    r->path = target;
    if (mark) {
        r->path.len = (size_t)(mark - target.text);
        r->query = (struct slice){ mark + 1, target.len - r->path.len - 1 };
    }
    return judge_path(r->path, ret);
}

static enum http_method method_of(struct slice m)
{
    static const char *const names[] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (is_text(m, names[i]))
            return (enum http_method)i;
    return HTTP_OTHER;
}

int head_judge(const struct parse_head *head, bool has_body, struct http_request *r,
               struct head_facts *ret, struct parse_fault *ret_fault)
{
    struct slice found[SINGLES_USED] = { { 0 } };

    *ret = (struct head_facts){ 0 };
    r->method = method_of(head->method);
    r->target = head->target;
    r->headers = head->headers;
    r->header_count = head->count;
    if (find_singles(head, found, ret_fault) < 0 ||
        judge_host(head->minor, found[HOST], ret_fault) < 0 ||
        judge_framing(head->minor, found, has_body, ret_fault) < 0 ||
        judge_target(found[HOST], r, ret_fault) < 0 ||
        judge_expect(head->minor, found[EXPECT], ret, ret_fault) < 0)
        return -1;
    judge_connection(head->minor, found[CONNECTION], ret);
    return 0;
}
