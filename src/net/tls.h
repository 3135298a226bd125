/*
 * net/tls.h - TLS 1.2 and 1.3 for the server's side of streams, by OpenSSL.
 *
 * A session turns bytes of the wire into plain ones and back; it has no socket.  What it wants to
 * send is appended to the buffer that each call is given.  ALPN: http/1.1, or the client names
 * none.  Loop thread only.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls; /* a certificate and its key */
struct tls_session;

/* From files in PEM; IFP_EINVALID says what is wrong with them. */
int tls_open(const char *cert, const char *key, struct tls **ret, struct err *e) MUSTCHECK;
/* Reads both anew for sessions to come; on failure nothing changes. */
int tls_reload(struct tls *t, const char *cert, const char *key, struct err *e) MUSTCHECK;
void tls_close(struct tls *t); /* NULL is fine; sessions go on */

/* NULL when memory is out. */
struct tls_session *tls_session_open(struct tls *t);
void tls_session_close(struct tls_session *s); /* NULL is fine */

/* Takes bytes of the wire, borrowed until tls_session_read gave 0 or tls_session_keep copied what
 * is left of them. */
void tls_session_feed(struct tls_session *s, const char *data, size_t len);
int tls_session_keep(struct tls_session *s) MUSTCHECK;
bool tls_session_kept(const struct tls_session *s); /* there is something to read again */

enum { TLS_ENDED = -1, TLS_BROKEN = -2 };
/* Plain bytes out of what was fed: how many; 0: more must be fed first; TLS_ENDED: the other side
 * said that it ends; TLS_BROKEN. */
ssize_t tls_session_read(struct tls_session *s, char *to, size_t max, struct buf *out);
/* False: broken. */
bool tls_session_write(struct tls_session *s, const char *data, size_t len, struct buf *out);
/* Says that we end. */
void tls_session_end(struct tls_session *s, struct buf *out);

#endif
