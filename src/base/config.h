/*
 * base/config.h - every option and every limit of the runtime, in one table.
 *
 * A value comes from the flag, else the environment, else the file (--config or INFERPIPE_CONFIG:
 * lines "name = value", # comments), else the default.  For CONFIG_SECRET also from a file named by
 * the variable with _FILE behind it.  An empty variable counts as not set.  An unknown name in the
 * file is an error.  Values outside min..max are errors that name the option, the value and the
 * range.
 * docs/configuration.md lists the same table; make lint compares them.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/base.h"
#include "base/err.h"
#include "base/options.h"
#include "base/options_observe.h"
#include "base/options_server.h"

#include <stdbool.h>
#include <stdint.h>

enum config_type {
    CONFIG_INT,
    CONFIG_DURATION,
    CONFIG_SIZE,
    CONFIG_TEXT,
    CONFIG_SECRET,
    CONFIG_BOOL
};

/* The rows of base/options.h, base/options_server.h and base/options_observe.h. */
#define CONFIG_MAP(X) OPTIONS_MAP(X) OPTIONS_SERVER_MAP(X) OPTIONS_OBSERVE_MAP(X)

#define CONFIG_ENUM(id, flag, env, type, def, min, max, doc) CONFIG_##id,
enum config_id { CONFIG_MAP(CONFIG_ENUM) CONFIG_COUNT };
#undef CONFIG_ENUM

struct config_option {
    const char *flag; /* without the dashes */
    const char *env;
    enum config_type type;
    const char *def;
    int64_t min, max; /* of a number; of the length of a text */
    const char *doc;
};

#define CONFIG_TRACE_ID "{traceId}" /* in CONFIG_TRACE_URL: the place of the trace's id */

enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENV, CONFIG_FROM_FLAG };

struct config {
    struct {
        char *text;  /* owned */
        int64_t num; /* of a number, duration (ms), size (bytes) or bool */
        enum config_source source;
    } values[CONFIG_COUNT];
};

const struct config_option *config_option(enum config_id id);
/* By flag name without dashes, or -1. */
int config_find(const char *flag);

/* Takes all defaults. */
int config_init(struct config *c, struct err *e) MUSTCHECK;
void config_release(struct config *c);
/* Sets one value, if it comes from no weaker source than the present one. */
int config_set(struct config *c, enum config_id id, const char *text, enum config_source source,
               struct err *e) MUSTCHECK;
int config_load_env(struct config *c, struct err *e) MUSTCHECK;
int config_load_file(struct config *c, const char *path, struct err *e) MUSTCHECK;
/* Rules between options: tick at most a quarter of the lease, inline not over the payload limit. */
int config_check(const struct config *c, struct err *e) MUSTCHECK;
int64_t config_int(const struct config *c, enum config_id id);
const char *config_text(const struct config *c, enum config_id id);

#endif
