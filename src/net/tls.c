/*
 * net/tls.c - OpenSSL over two ends of memory.
 *
 * The BIO is ours: it reads from what was fed and writes into the caller's buffer, so a session at
 * rest holds no buffer of its own (OpenSSL's memory BIOs keep the largest size that they ever had),
 * and SSL_MODE_RELEASE_BUFFERS gives back OpenSSL's.
 *
 * Failure modes: whatever OpenSSL does not like breaks the session; its alert is in the buffer and
 * may still be sent.  OpenSSL's queue of errors is per thread: it is emptied before each call, else
 * an old error would speak for a new one.
 */
#include "net/tls.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

struct tls {
    SSL_CTX *ctx; /* owned */
};

struct tls_session {
    SSL *ssl;        /* owned */
    const char *in;  /* borrowed: the wire's bytes, not read so far */
    size_t in_len;   /* of them */
    struct buf kept; /* holds `in` when it was kept */
    struct buf *out; /* borrowed for one call */
    bool dead;       /* OpenSSL may not be called again */
};

/* ---- the ends of memory ---- */

static int bio_read(BIO *bio, char *to, size_t max, size_t *ret_len)
{
    struct tls_session *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *ret_len = MIN(max, s->in_len);
    if (*ret_len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(to, s->in, *ret_len);
    s->in += *ret_len;
    s->in_len -= *ret_len;
    return 1;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct tls_session *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (s->out)
        buf_put(s->out, data, len);
    *ret_len = len;
    return s->out && !buf_broken(s->out);
}

static long bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    (void)bio;
    (void)number;
    (void)ptr;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method; /* one for the process, never freed: it belongs to all sessions */

    if (method)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (!method || !BIO_meth_set_read_ex(method, bio_read) ||
        !BIO_meth_set_write_ex(method, bio_write) || !BIO_meth_set_ctrl(method, bio_ctrl)) {
        BIO_meth_free(method);
        method = NULL;
    }
    return method;
}

/* ---- certificates ---- */

static int no_passphrase(char *to, int size, int rwflag, void *ctx)
{
    (void)to;
    (void)size;
    (void)rwflag;
    (void)ctx;
    return -1; /* instead of asking on the terminal */
}

static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offered, unsigned int len, void *ctx)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)ctx;
    if (SSL_select_next_proto(&chosen, ret_len, ours, sizeof(ours) - 1, offered, len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int say(struct err *e, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return err_set(e, IFP_EINVALID, "%s %s: %s", what, file, reason ? reason : "cannot be used");
}

static int load(SSL_CTX *ctx, const char *cert, const char *key, struct err *e)
{
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return say(e, "certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return say(e, "key", key);
    return 0;
}

static int new_context(const char *cert, const char *key, SSL_CTX **ret, struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int rc;

    ERR_clear_error();
    if (!ctx || !bio_method())
        rc = err_set(e, IFP_ENOMEM, "TLS: out of memory");
    else
        rc = load(ctx, cert, key, e);
    if (rc < 0) {
        SSL_CTX_free(ctx);
        return rc;
    }
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets resume */
    (void)SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    *ret = ctx;
    return 0;
}

int tls_open(const char *cert, const char *key, struct tls **ret, struct err *e)
{
    struct tls *t = mem_zalloc(sizeof(*t));
    int rc;

    if (!t)
        return err_set(e, IFP_ENOMEM, "TLS: out of memory");
    rc = new_context(cert, key, &t->ctx, e);
    if (rc < 0) {
        mem_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

int tls_reload(struct tls *t, const char *cert, const char *key, struct err *e)
{
    SSL_CTX *fresh;
    int rc = new_context(cert, key, &fresh, e);

    if (rc < 0)
        return rc;
    SSL_CTX_free(t->ctx); /* sessions under way hold it on their own */
    t->ctx = fresh;
    return 0;
}

void tls_close(struct tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    mem_free(t);
}

/* ---- sessions ---- */

struct tls_session *tls_session_open(struct tls *t)
{
    struct tls_session *s = mem_zalloc(sizeof(*s));
    BIO *bio;

    if (!s)
        return NULL;
    buf_init(&s->kept);
    s->ssl = SSL_new(t->ctx);
    bio = s->ssl ? BIO_new(bio_method()) : NULL;
    if (!bio) {
        tls_session_close(s);
        return NULL;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio); /* takes it */
    SSL_set_accept_state(s->ssl);
    return s;
}

void tls_session_close(struct tls_session *s)
{
    if (!s)
        return;
    s->out = NULL;
    SSL_free(s->ssl);
    buf_release(&s->kept);
    mem_free(s);
}

void tls_session_feed(struct tls_session *s, const char *data, size_t len)
{
    if (s->kept.len == 0) {
        s->in = data;
        s->in_len = len;
        return;
    }
    buf_put(&s->kept, data, len); /* behind what was kept, which `in` is the end of */
    s->in = s->kept.data + (s->kept.len - len - s->in_len);
    s->in_len += len;
}

int tls_session_keep(struct tls_session *s)
{
    struct buf rest;

    if (s->in_len == 0) {
        buf_release(&s->kept);
        return 0;
    }
    buf_init(&rest);
    buf_put(&rest, s->in, s->in_len);
    buf_release(&s->kept);
    s->kept = rest;
    s->in = s->kept.data;
    return buf_broken(&rest) ? IFP_ENOMEM : 0;
}

bool tls_session_kept(const struct tls_session *s)
{
    return s->in_len > 0 || SSL_has_pending(s->ssl);
}

ssize_t tls_session_read(struct tls_session *s, char *to, size_t max, struct buf *out)
{
    int rc, why;

    if (s->dead || buf_broken(&s->kept))
        return TLS_BROKEN;
    s->out = out;
    ERR_clear_error();
    rc = SSL_read(s->ssl, to, (int)MIN(max, (size_t)INT_MAX));
    why = rc > 0 ? 0 : SSL_get_error(s->ssl, rc);
    s->out = NULL;
    if (rc > 0)
        return rc;
    if (why == SSL_ERROR_WANT_READ)
        return 0;
    if (why == SSL_ERROR_ZERO_RETURN)
        return TLS_ENDED;
    s->dead = true;
    ERR_clear_error();
    return TLS_BROKEN;
}

bool tls_session_write(struct tls_session *s, const char *data, size_t len, struct buf *out)
{
    int rc;

    if (s->dead || !SSL_is_init_finished(s->ssl))
        return false;
    s->out = out;
    ERR_clear_error();
    rc = SSL_write(s->ssl, data, (int)len);
    s->out = NULL;
    if (rc != (int)len)
        s->dead = true; /* memory: there is nothing else that could hold it up */
    return !s->dead;
}

void tls_session_end(struct tls_session *s, struct buf *out)
{
    if (s->dead || !SSL_is_init_finished(s->ssl))
        return;
    s->out = out;
    ERR_clear_error();
    (void)SSL_shutdown(s->ssl);
    s->out = NULL;
}
