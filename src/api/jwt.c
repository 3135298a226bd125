/*
 * api/jwt.c - reads and checks tokens; strict where RFC 7519 leaves room.
 *
 * Refused: any spelling of base64url but the one, duplicate members, a header that is critical in
 * ways we do not know, a type other than JWT, no kid, no exp, times that are no numbers, an issuer
 * or audience that is not the key's.  Header names like jwk, jku and x5c are never looked at: keys
 * come from the database alone.
 */
#include "api/jwt.h"

#include "base/base64.h"

#include <inferpipe.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { PARTS = 3 };
#define TIME_MAX 1e12 /* seconds */

static int refuse(struct err *e, const char *why)
{
    return err_set(e, IFP_EUNAUTHORIZED, "token: %s", why);
}

static int no_memory(struct err *e)
{
    (void)err_set(e, IFP_ENOMEM, "token: out of memory");
    return IFP_ENOMEM;
}

/* ---- what is written ------------------------------------------------------------------------ */

static bool split(struct slice token, struct slice parts[PARTS])
{
    const char *at = token.text, *end = token.text + token.len;

    for (int i = 0; i < PARTS; i++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));

        if ((i < PARTS - 1) != (dot != NULL))
            return false;
        parts[i] = (struct slice){ at, (size_t)((dot ? dot : end) - at) };
        at = dot ? dot + 1 : end;
    }
    return true;
}

bool jwt_is(struct slice token)
{
    struct slice parts[PARTS];

    return split(token, parts);
}

/* A part decoded into the arena. */
static int decode(struct slice part, struct arena *a, struct slice *ret, struct err *e)
{
    uint8_t *bytes = arena_alloc(a, BASE64_BYTES(part.len) + 1);

    if (!bytes)
        return no_memory(e);
    if (base64_decode(part.text, part.len, bytes) != 0)
        return refuse(e, "not base64url");
    *ret = (struct slice){ (const char *)bytes, BASE64_BYTES(part.len) };
    return 0;
}

/* The same, which must be a JSON object. */
static int decode_object(struct slice part, struct arena *a, struct slice *ret, struct err *e)
{
    struct err why;
    int rc = decode(part, a, ret, e);

    if (rc != 0)
        return rc;
    rc = jsonscan_check(ret->text, ret->len, &why);
    if (rc == IFP_ENOMEM)
        return no_memory(e);
    if (rc != 0 || jsonscan_type(*ret) != IFP_JSON_OBJECT)
        return refuse(e, "not a JSON object");
    return 0;
}

/* A member that must be a string when it is there; *ret NULL: it is not. */
static int member(struct slice object, const char *pointer, struct arena *a, const char **ret,
                  struct err *e)
{
    struct slice value;
    char *text;
    size_t len;

    *ret = NULL;
    if (jsonscan_find(object, pointer, &value) != 0)
        return 0;
    if (jsonscan_type(value) != IFP_JSON_STRING)
        return err_set(e, IFP_EUNAUTHORIZED, "token: %s is not a string", pointer + 1);
    if (jsonscan_string(value, a, &text, &len) != 0)
        return no_memory(e);
    *ret = text;
    return 0;
}

static int read_header(struct slice header, struct arena *a, struct jwt *t, struct err *e)
{
    const char *type;
    struct slice ignored;
    int rc = member(header, "/alg", a, &t->alg, e);

    if (rc == 0)
        rc = member(header, "/kid", a, &t->kid, e);
    if (rc == 0)
        rc = member(header, "/typ", a, &type, e);
    if (rc != 0)
        return rc;
    if (!t->alg || crypto_alg_find(t->alg) < 0)
        return refuse(e, "an algorithm that is not supported");
    if (!t->kid || !*t->kid || strlen(t->kid) > JWT_KID_MAX)
        return refuse(e, "no kid");
    if (type && strcasecmp(type, "JWT") != 0 && strcasecmp(type, "at+jwt") != 0)
        return refuse(e, "not a JWT by its typ");
    if (jsonscan_find(header, "/crit", &ignored) == 0)
        return refuse(e, "critical header parameters");
    return 0;
}

int jwt_parse(struct slice token, struct arena *a, struct jwt *ret, struct err *e)
{
    struct slice parts[PARTS], header = { 0 }, sig = { 0 };
    int rc;

    if (token.len > JWT_SIZE_MAX)
        return refuse(e, "too long");
    if (!split(token, parts))
        return refuse(e, "not three parts");
    rc = decode_object(parts[0], a, &header, e);
    if (rc == 0)
        rc = read_header(header, a, ret, e);
    if (rc == 0)
        rc = decode_object(parts[1], a, &ret->payload, e);
    if (rc == 0)
        rc = decode(parts[2], a, &sig, e);
    if (rc != 0)
        return rc;
    ret->signed_text = (struct slice){ token.text, parts[0].len + 1 + parts[1].len };
    ret->sig = (const uint8_t *)sig.text;
    ret->sig_len = sig.len;
    return 0;
}

/* ---- whether it is so ----------------------------------------------------------------------- */

/* A NumericDate; *ret_there false: it is not there. */
static int date(struct slice payload, const char *pointer, double *ret, bool *ret_there,
                struct err *e)
{
    struct slice value;

    *ret_there = jsonscan_find(payload, pointer, &value) == 0;
    if (!*ret_there)
        return 0;
    if (jsonscan_type(value) != IFP_JSON_NUMBER || jsonscan_double(value, ret) != 0 ||
        !isfinite(*ret) || fabs(*ret) > TIME_MAX)
        return err_set(e, IFP_EUNAUTHORIZED, "token: %s is not a time", pointer + 1);
    return 0;
}

static int check_times(struct slice payload, int64_t now_s, struct jwt_claims *ret, struct err *e)
{
    double exp = 0, nbf = 0, iat = 0, now = (double)now_s;
    bool has_exp, has_nbf, has_iat;
    int rc = date(payload, "/exp", &exp, &has_exp, e);

    if (rc == 0)
        rc = date(payload, "/nbf", &nbf, &has_nbf, e);
    if (rc == 0)
        rc = date(payload, "/iat", &iat, &has_iat, e);
    if (rc != 0)
        return rc;
    if (!has_exp)
        return refuse(e, "no exp");
    if (exp + JWT_LEEWAY_S <= now)
        return refuse(e, "expired");
    if (has_nbf && nbf > now + JWT_LEEWAY_S)
        return refuse(e, "not valid yet");
    if (has_iat && iat > now + JWT_LEEWAY_S)
        return refuse(e, "issued in the future");
    ret->expires_s = (int64_t)exp;
    return 0;
}

static int check_issuer(struct slice payload, const char *issuer, struct arena *a, struct err *e)
{
    const char *text;
    int rc = member(payload, "/iss", a, &text, e);

    if (rc != 0)
        return rc;
    return text && strcmp(text, issuer) == 0 ? 0 : refuse(e, "another issuer");
}

/* A string, or an array of strings one of which it is. */
static int check_audience(struct slice payload, const char *audience, struct arena *a,
                          struct err *e)
{
    struct slice value, key, item;
    size_t pos = 0, len;
    bool found = false;
    char *text;
    const char *single = NULL;

    if (jsonscan_find(payload, "/aud", &value) != 0)
        return refuse(e, "no audience");
    if (jsonscan_type(value) != IFP_JSON_ARRAY) {
        int rc = member(payload, "/aud", a, &single, e);

        if (rc != 0)
            return rc;
        return single && strcmp(single, audience) == 0 ? 0 : refuse(e, "another audience");
    }
    while (jsonscan_each(value, &pos, &key, &item)) {
        if (jsonscan_type(item) != IFP_JSON_STRING)
            return refuse(e, "an audience that is no string");
        if (jsonscan_string(item, a, &text, &len) != 0)
            return no_memory(e);
        found |= strcmp(text, audience) == 0;
    }
    return found ? 0 : refuse(e, "another audience");
}

int jwt_check(const struct jwt *t, const struct jwt_rules *rules, int64_t now_s, struct arena *a,
              struct jwt_claims *ret, struct err *e)
{
    enum crypto_alg alg = crypto_verifier_alg(rules->verifier);
    int rc;

    if (strcmp(t->alg, crypto_alg_name(alg)) != 0)
        return refuse(e, "another algorithm than its key's");
    rc =
        crypto_verify(rules->verifier, t->signed_text.text, t->signed_text.len, t->sig, t->sig_len);
    if (rc == IFP_EUNAUTHORIZED)
        return refuse(e, "the signature is not its key's");
    if (rc != 0)
        return err_set(e, rc, "token: the signature cannot be checked");
    rc = check_times(t->payload, now_s, ret, e);
    if (rc == 0)
        rc = check_issuer(t->payload, rules->issuer, a, e);
    if (rc == 0)
        rc = check_audience(t->payload, rules->audience, a, e);
    if (rc == 0)
        rc = member(t->payload, "/sub", a, &ret->subject, e);
    if (rc == 0)
        rc = member(t->payload, "/scope", a, &ret->scope, e);
    if (rc == 0 && !ret->subject)
        ret->subject = "";
    return rc;
}
