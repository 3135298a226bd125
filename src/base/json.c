/*
 * base/json.c - cJSON behind a small front.
 *
 * cJSON's allocator is process-wide, so it is pointed at mem_* once, before the first document.
 * A document fails sticky: an adder that ran out of memory marks its parent, and printing refuses
 * a document with a mark anywhere in it, so that nobody gets one with a hole.  The mark is
 * `valueint`, which cJSON leaves unused in objects and arrays.
 *
 * Numbers are added as text of ours: cJSON would put 64-bit integers through a double.
 */
#include "base/json.h"

#include "base/jsonscan.h"
#include "base/mem.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

static void *hook_alloc(size_t size)
{
    return mem_alloc(size);
}

static void install_hooks(void)
{
    cJSON_Hooks hooks = { .malloc_fn = hook_alloc, .free_fn = mem_free };

    cJSON_InitHooks(&hooks);
}

static cJSON *node_of(struct jsondoc *doc)
{
    return (cJSON *)doc;
}

struct jsondoc *jsondoc_object(void)
{
    (void)pthread_once(&hooks_once, install_hooks);
    return (struct jsondoc *)cJSON_CreateObject();
}

struct jsondoc *jsondoc_array(void)
{
    (void)pthread_once(&hooks_once, install_hooks);
    return (struct jsondoc *)cJSON_CreateArray();
}

void jsondoc_free(struct jsondoc *doc)
{
    cJSON_Delete(node_of(doc));
}

/* Every adder ends here; takes the item, which is NULL when memory was out. */
static bool add(struct jsondoc *parent, const char *key, cJSON *item)
{
    cJSON *node = node_of(parent);
    cJSON_bool added = false;

    if (node && item) {
        assert(key ? cJSON_IsObject(node) : cJSON_IsArray(node));
        added = key ? cJSON_AddItemToObject(node, key, item) : cJSON_AddItemToArray(node, item);
    }
    if (added)
        return true;
    cJSON_Delete(item);
    if (node)
        node->valueint = 1;
    return false;
}

/* cJSON copies bytes as they are, so what is not UTF-8 is repaired before. */
static cJSON *create_str(const char *value)
{
    struct arena a;
    size_t len = strlen(value);
    const char *clean;
    cJSON *item = NULL;

    if (jsonscan_utf8_ok(value, len))
        return cJSON_CreateString(value);
    arena_init(&a, 0);
    clean = jsonscan_clean(&a, value, 3 * len);
    if (clean)
        item = cJSON_CreateString(clean);
    arena_release(&a);
    return item;
}

bool jsondoc_add_str(struct jsondoc *parent, const char *key, const char *value)
{
    return parent && add(parent, key, value ? create_str(value) : cJSON_CreateNull());
}

bool jsondoc_add_int(struct jsondoc *parent, const char *key, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    return jsondoc_add_raw(parent, key, text);
}

/* The shortest text that reads back as the same number, with a point in every locale. */
static bool format_double(double value, char *ret, size_t size)
{
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before;

    if (!c_locale)
        return false;
    before = uselocale(c_locale);
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(ret, size, "%.*g", digits, value);
        if (!(fabs(strtod(ret, NULL) - value) > 0))
            break;
    }
    (void)uselocale(before);
    freelocale(c_locale);
    return true;
}

bool jsondoc_add_double(struct jsondoc *parent, const char *key, double value)
{
    char text[40] = "null";

    if (isfinite(value) && !format_double(value, text, sizeof(text)))
        return parent && add(parent, key, NULL);
    return jsondoc_add_raw(parent, key, text);
}

bool jsondoc_add_bool(struct jsondoc *parent, const char *key, bool value)
{
    return parent && add(parent, key, cJSON_CreateBool(value));
}

bool jsondoc_add_raw(struct jsondoc *parent, const char *key, const char *json)
{
    return parent && add(parent, key, json ? cJSON_CreateRaw(json) : cJSON_CreateNull());
}

bool jsondoc_add(struct jsondoc *parent, const char *key, struct jsondoc *child)
{
    return add(parent, key, node_of(child));
}

static bool is_whole(const cJSON *node)
{
    const cJSON *child;

    if ((cJSON_IsObject(node) || cJSON_IsArray(node)) && node->valueint != 0)
        return false;
    cJSON_ArrayForEach(child, node) if (!is_whole(child)) return false;
    return true;
}

char *jsondoc_print(const struct jsondoc *doc, bool pretty)
{
    const cJSON *node = (const cJSON *)doc;

    if (!node || !is_whole(node))
        return NULL;
    return pretty ? cJSON_Print(node) : cJSON_PrintUnformatted(node);
}
