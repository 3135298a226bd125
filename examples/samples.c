/*
 * samples.c - workflows to call from elsewhere: what the samples of the TypeScript package start.
 *
 *   build/inferpipe dev --worker build/examples/samples     # and in another terminal:
 *   . .inferpipe/env
 *   build/examples/samples execution start sentiment-analysis --wait \
 *     --input '{"text": "Great product!"}'
 *
 * They look like work for a language model and need none: word lists and small rules in place of
 * one, so the same input always gives the same result.  Put a call of your model into the step and
 * the rest stays as it is.
 *
 *   workflow              input                       result
 *   test-echo             anything                    the same
 *   sentiment-analysis    text                        sentiment, confidence
 *   content-generation    topic                       title, outline, sections
 *   content-enhancement   content (or text)           content, changed
 *   translation           text, targetLanguage        translatedText, language, unknownWords
 *   document-analysis     document or documentUrl     words, sentences, keywords; or source
 *   document-processing   document                    analysis, sentiment, summary
 *   chat-assist           prompt, paceMs (0)          answer; streams it word by word
 *   calendar-classifier   input_as_text               date, events
 *   image-generation      prompt                      svg, width, height
 *
 * An input that lacks what is needed fails the execution with INVALID_INPUT and the member's name;
 * members that are not known are ignored.  Text is UTF-8; only ASCII letters are folded.
 */
#include <inferpipe.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { WORD_MAX = 64, TEXT_MAX = 256 * 1024, KEYWORDS = 5, EVENTS_MAX = 50, PACE_MAX_MS = 60000 };

/* ---- text ------------------------------------------------------------------------------------ */

/* The text at `pointer`, or NULL after failing the step: it must be there, and not be empty. */
static const char *need_text(ifp_step_ctx *step, const ifp_json *input, const char *pointer,
                             int *ret_rc)
{
    const char *text = ifp_json_str(input, pointer, NULL);

    if (!text || !*text)
        *ret_rc = ifp_step_fail(step, "INVALID_INPUT", IFP_FINAL,
                                "the input needs %s, a text that is not empty", pointer);
    else if (strlen(text) > TEXT_MAX)
        *ret_rc = ifp_step_fail(step, "INVALID_INPUT", IFP_FINAL, "%s is over %d bytes", pointer,
                                TEXT_MAX);
    else
        return text;
    return NULL;
}

/* Letters, digits, and all of what is not ASCII. */
static bool in_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* The next word from *at, in lower case and cut to its room; false at the end. */
static bool next_word(const char **at, char ret_word[WORD_MAX])
{
    size_t n = 0;
    bool cut;

    while (**at && !in_word(**at))
        (*at)++;
    for (; in_word(**at) || (n > 0 && **at == '\'' && in_word((*at)[1])); (*at)++) {
        if (n < WORD_MAX - 1)
            ret_word[n++] = (char)tolower((unsigned char)**at);
    }
    cut = n == WORD_MAX - 1;
    while (cut && n > 0 && (unsigned char)ret_word[n - 1] >= 0x80)
        n--; /* the cut may have split a character */
    ret_word[n] = '\0';
    return n > 0;
}

/* `words` has a space before, between and behind its words. */
static bool is_among(const char *words, const char *word)
{
    char spaced[WORD_MAX + 2];

    snprintf(spaced, sizeof(spaced), " %s ", word);
    return strstr(words, spaced);
}

/* A JSON array that grows by one value after the other. */
struct array {
    ifp_step_ctx *step; /* borrowed */
    char *text;         /* the attempt's */
    size_t len, size;
};

static int array_add(struct array *a, const ifp_json *value)
{
    size_t n;
    const char *text = ifp_json_text(value, &n);

    if (!a->text || a->len + n + 2 > a->size) {
        size_t size = 2 * (a->size + n) + 256;
        char *grown = ifp_step_alloc(a->step, size);

        if (!grown)
            return IFP_ENOMEM;
        if (a->len > 0)
            memcpy(grown, a->text, a->len);
        a->text = grown;
        a->size = size;
    }
    a->text[a->len] = a->len > 0 ? ',' : '[';
    a->len++;
    memcpy(a->text + a->len, text, n);
    a->len += n;
    return 0;
}

static int array_end(struct array *a, const ifp_json **ret)
{
    if (a->len == 0)
        return ifp_json_parse(a->step, "[]", 2, ret);
    a->text[a->len] = ']';
    return ifp_json_parse(a->step, a->text, a->len + 1, ret);
}

/* ---- test-echo ------------------------------------------------------------------------------- */

static int echo(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)step;
    *ret = input;
    return 0;
}

static int test_echo(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    return ifp_step(run, "echo", echo, input, result);
}

/* ---- sentiment-analysis ---------------------------------------------------------------------- */

static const char good_words[] =
    " amazing awesome beautiful best brilliant delighted easy excellent fantastic fast fine glad"
    " good great happy helpful impressive like love loved lovely nice perfect pleasant recommend"
    " reliable superb thanks useful well wonderful ";
static const char bad_words[] =
    " angry awful bad boring broken bug bugs confusing crash crashed crashes disappointed"
    " disappointing dislike expensive fail failed hate horrible poor sad slow terrible ugly"
    " unhappy unusable useless waste worse worst wrong ";
static const char negations[] = " don't doesn't isn't never no not nothing wasn't without won't ";

/* A negation turns the next word of opinion round, if it is at most three words away. */
static int judge(ifp_step_ctx *step, const ifp_json *text, const ifp_json **ret)
{
    const char *at = ifp_json_str(text, "", "");
    char word[WORD_MAX];
    int good = 0, bad = 0, negated = 0;
    double confidence = 0.5;

    while (next_word(&at, word)) {
        bool is_good = is_among(good_words, word), is_bad = is_among(bad_words, word);

        if (is_good || is_bad) {
            *((is_good == (negated == 0)) ? &good : &bad) += 1;
            negated = 0;
        } else if (is_among(negations, word)) {
            negated = 3;
        } else if (negated > 0) {
            negated--;
        }
    }
    if (good != bad)
        confidence += 0.45 * (good > bad ? good - bad : bad - good) / (good + bad);
    return ifp_json_build(step, ret, "{s:s, s:f}", "sentiment",
                          good > bad   ? "positive"
                          : bad > good ? "negative"
                                       : "neutral",
                          "confidence", confidence);
}

static int judge_input(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int rc = 0;

    if (!need_text(step, input, "/text", &rc))
        return rc;
    return judge(step, ifp_json_get(input, "/text"), ret);
}

static int sentiment_analysis(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    return ifp_step(run, "judge", judge_input, input, result);
}

/* ---- content-generation: three steps, each from the one before ------------------------------- */

static int make_title(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    int rc = 0;
    const char *topic = need_text(step, input, "/topic", &rc);
    char *title;
    size_t size;

    if (!topic)
        return rc;
    size = strlen(topic) + 32;
    title = ifp_step_alloc(step, size);
    if (!title)
        return IFP_ENOMEM;
    snprintf(title, size, "%s: a short guide", topic);
    title[0] = (char)toupper((unsigned char)title[0]);
    return ifp_json_build(step, ret, "s", title);
}

static int make_sections(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    static const char *const forms[] = { "What is %s?", "Why %s matters", "How to begin with %s",
                                         "Mistakes to avoid", "What comes next" };
    struct array sections = { .step = step };
    const char *topic = ifp_json_str(input, "/topic", "");
    size_t size = strlen(topic) + 32;
    char *line = ifp_step_alloc(step, size);

    if (!line)
        return IFP_ENOMEM;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const char *hole = strstr(forms[i], "%s");
        const ifp_json *section;

        if (hole)
            snprintf(line, size, "%.*s%s%s", (int)(hole - forms[i]), forms[i], topic, hole + 2);
        else
            snprintf(line, size, "%s", forms[i]);
        IFP_TRY(ifp_json_build(step, &section, "s", line));
        IFP_TRY(array_add(&sections, section));
    }
    return array_end(&sections, ret);
}

static int make_outline(ifp_step_ctx *step, const ifp_json *sections, const ifp_json **ret)
{
    size_t size = 1, len = 0;
    int64_t tokens;
    char pointer[24], *outline;
    size_t n = ifp_json_len(sections, "");

    for (size_t i = 0; i < n; i++) {
        snprintf(pointer, sizeof(pointer), "/%zu", i);
        size += strlen(ifp_json_str(sections, pointer, "")) + 8;
    }
    outline = ifp_step_alloc(step, size);
    if (!outline)
        return IFP_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        snprintf(pointer, sizeof(pointer), "/%zu", i);
        len += (size_t)snprintf(outline + len, size - len, "%s%zu. %s", i ? "\n" : "", i + 1,
                                ifp_json_str(sections, pointer, ""));
    }
    tokens = (int64_t)(len / 4);
    IFP_TRY(ifp_step_cost(step, tokens, (double)tokens * 0.000001));
    return ifp_json_build(step, ret, "s", outline);
}

static int content_generation(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    const ifp_json *title, *sections, *outline;

    IFP_TRY(ifp_step(run, "title", make_title, input, &title));
    IFP_TRY(ifp_step(run, "sections", make_sections, input, &sections));
    IFP_TRY(ifp_step(run, "outline", make_outline, sections, &outline));
    return ifp_json_build(run, result, "{s:v, s:v, s:v}", "title", title, "outline", outline,
                          "sections", sections);
}

/* ---- content-enhancement: one space between words, sentences begin large and end ------------- */

static int polish(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    bool named = ifp_json_get(input, "/content");
    int rc = 0;
    const char *text =
        need_text(step, input, named || !ifp_json_get(input, "/text") ? "/content" : "/text", &rc);
    size_t len = 0;
    bool large = true;
    char *out;

    if (!text)
        return rc;
    out = ifp_step_alloc(step, strlen(text) + 2);
    if (!out)
        return IFP_ENOMEM;
    for (const char *at = text; *at; at++) {
        if (isspace((unsigned char)*at)) {
            if (len > 0 && out[len - 1] != ' ')
                out[len++] = ' ';
            continue;
        }
        out[len++] = large ? (char)toupper((unsigned char)*at) : *at;
        large = strchr(".!?", *at) && (!at[1] || isspace((unsigned char)at[1]));
    }
    if (len > 0 && out[len - 1] == ' ')
        len--;
    if (len > 0 && !large)
        out[len++] = '.';
    out[len] = '\0';
    return ifp_json_build(step, ret, "{s:s, s:b}", "content", out, "changed",
                          strcmp(out, text) != 0);
}

static int content_enhancement(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    return ifp_step(run, "polish", polish, input, result);
}

/* ---- translation: word for word; a word that is not known stays ------------------------------ */

enum { SPANISH, FRENCH, GERMAN, LANGUAGES };
static const struct {
    const char *tag, *name;
} languages[LANGUAGES] = { { "es", "Spanish" }, { "fr", "French" }, { "de", "German" } };
static const struct {
    const char *word;
    const char *in[LANGUAGES];
} dictionary[] = {
    { "a", { "un", "un", "ein" } },
    { "and", { "y", "et", "und" } },
    { "big", { "grande", "grand", "groß" } },
    { "book", { "libro", "livre", "Buch" } },
    { "bread", { "pan", "pain", "Brot" } },
    { "cat", { "gato", "chat", "Katze" } },
    { "coffee", { "café", "café", "Kaffee" } },
    { "day", { "día", "jour", "Tag" } },
    { "dog", { "perro", "chien", "Hund" } },
    { "friend", { "amigo", "ami", "Freund" } },
    { "good", { "bueno", "bon", "gut" } },
    { "goodbye", { "adiós", "au revoir", "auf Wiedersehen" } },
    { "hello", { "hola", "bonjour", "hallo" } },
    { "house", { "casa", "maison", "Haus" } },
    { "i", { "yo", "je", "ich" } },
    { "is", { "es", "est", "ist" } },
    { "morning", { "mañana", "matin", "Morgen" } },
    { "my", { "mi", "mon", "mein" } },
    { "night", { "noche", "nuit", "Nacht" } },
    { "no", { "no", "non", "nein" } },
    { "please", { "por favor", "s'il vous plaît", "bitte" } },
    { "small", { "pequeño", "petit", "klein" } },
    { "thanks", { "gracias", "merci", "danke" } },
    { "the", { "el", "le", "der" } },
    { "water", { "agua", "eau", "Wasser" } },
    { "world", { "mundo", "monde", "Welt" } },
    { "yes", { "sí", "oui", "ja" } },
    { "you", { "tú", "vous", "du" } },
};

static const char *translated(const char *word, int language)
{
    for (size_t i = 0; i < sizeof(dictionary) / sizeof(dictionary[0]); i++) {
        if (strcmp(dictionary[i].word, word) == 0)
            return dictionary[i].in[language];
    }
    return NULL;
}

static int find_language(const char *asked)
{
    for (int i = 0; i < LANGUAGES; i++) {
        if (strcasecmp(asked, languages[i].tag) == 0 || strcasecmp(asked, languages[i].name) == 0)
            return i;
    }
    return -1;
}

/* Puts the translation of the word [from, to) at the end of `out`; false: it stays as it is. */
static bool put_word(char *out, size_t *len, const char *from, const char *to, int language)
{
    char word[WORD_MAX];
    const char *at = from, *other = next_word(&at, word) ? translated(word, language) : NULL;
    const char *source = other ? other : from;
    size_t n = other ? strlen(other) : (size_t)(to - from);

    memcpy(out + *len, source, n);
    if (other && isupper((unsigned char)*from))
        out[*len] = (char)toupper((unsigned char)out[*len]);
    *len += n;
    return other;
}

static int translate(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    enum { GROWTH_MAX = 4 }; /* no word becomes so many times as long */
    int rc = 0, language, unknown = 0;
    const char *text = need_text(step, input, "/text", &rc);
    const char *asked = text ? need_text(step, input, "/targetLanguage", &rc) : NULL;
    size_t len = 0;
    char *out;

    if (!text || !asked)
        return rc;
    language = find_language(asked);
    if (language < 0)
        return ifp_step_fail(step, "INVALID_INPUT", IFP_FINAL,
                             "/targetLanguage is %.40s: es, fr and de are known", asked);
    out = ifp_step_alloc(step, strlen(text) * GROWTH_MAX + 1);
    if (!out)
        return IFP_ENOMEM;
    for (const char *at = text; *at;) {
        const char *from = at;

        while (in_word(*at))
            at++;
        if (at == from)
            out[len++] = *at++;
        else if (!put_word(out, &len, from, at, language))
            unknown++;
    }
    out[len] = '\0';
    return ifp_json_build(step, ret, "{s:s, s:s, s:i}", "translatedText", out, "language",
                          languages[language].tag, "unknownWords", unknown);
}

static int translation(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    return ifp_step(run, "translate", translate, input, result);
}

/* ---- document-analysis, document-processing -------------------------------------------------- */

static const char common_words[] =
    " a about after all also an and are as at be but by can do for from had has have i if in into"
    " is it its more no not of on or our so such than that the their them then there these they"
    " this to us was we were what when which who will with you your ";

/* The most frequent words; of equal ones those that came first. */
struct tally {
    char word[WORD_MAX];
    int count;
};

enum { TALLY_MAX = 1000 };

static void tally_add(struct tally *t, int *n, const char *word)
{
    for (int i = 0; i < *n; i++) {
        if (strcmp(t[i].word, word) == 0) {
            t[i].count++;
            return;
        }
    }
    if (*n < TALLY_MAX) {
        snprintf(t[*n].word, WORD_MAX, "%s", word);
        t[(*n)++].count = 1;
    }
}

static int tally_top(ifp_step_ctx *step, struct tally *t, int n, const ifp_json **ret)
{
    struct array top = { .step = step };

    for (int k = 0; k < KEYWORDS && k < n; k++) {
        const ifp_json *word;
        int best = 0;

        for (int i = 1; i < n; i++) {
            if (t[i].count > t[best].count)
                best = i;
        }
        IFP_TRY(ifp_json_build(step, &word, "s", t[best].word));
        IFP_TRY(array_add(&top, word));
        t[best].count = 0;
    }
    return array_end(&top, ret);
}

static int analyse_text(ifp_step_ctx *step, const char *text, const ifp_json **ret)
{
    struct tally *t = ifp_step_alloc(step, TALLY_MAX * sizeof(*t));
    int words = 0, sentences = 0, n = 0;
    const char *at = text;
    char word[WORD_MAX];
    const ifp_json *keywords;

    if (!t)
        return IFP_ENOMEM;
    for (; next_word(&at, word); words++) {
        if (strlen(word) > 2 && !is_among(common_words, word))
            tally_add(t, &n, word);
        sentences += *at && strchr(".!?", *at);
    }
    IFP_TRY(tally_top(step, t, n, &keywords));
    return ifp_json_build(step, ret, "{s:i, s:i, s:v}", "words", words, "sentences",
                          sentences > 0 || words == 0 ? sentences : 1, "keywords", keywords);
}

/* Nothing is fetched: a URL is only taken apart. */
static int analyse(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    const char *url = ifp_json_str(input, "/documentUrl", NULL), *host, *name, *dot;
    const ifp_json *text;
    int rc = 0;

    if (!url) {
        if (!need_text(step, input, "/document", &rc))
            return rc;
        return analyse_text(step, ifp_json_str(input, "/document", ""), ret);
    }
    host = strstr(url, "://");
    if (!host || host == url || !in_word(host[3]))
        return ifp_step_fail(step, "INVALID_INPUT", IFP_FINAL, "/documentUrl is not a URL");
    host += 3;
    name = strrchr(host, '/');
    dot = name ? strrchr(name, '.') : NULL;
    IFP_TRY(ifp_json_build(step, &text, "{s:s, s:s, s:s}", "url", url, "name", name ? name + 1 : "",
                           "format", dot ? dot + 1 : "unknown"));
    return ifp_json_build(step, ret, "{s:v}", "source", text);
}

static int document_analysis(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    return ifp_step(run, "analyse", analyse, input, result);
}

/* The first sentence. */
static int summarize(ifp_step_ctx *step, const ifp_json *document, const ifp_json **ret)
{
    const char *text = ifp_json_str(document, "", "");
    size_t n = strcspn(text, ".!?\n");
    char *first = ifp_step_alloc(step, n + 2);

    if (!first)
        return IFP_ENOMEM;
    memcpy(first, text, n + (text[n] && text[n] != '\n'));
    first[n + (text[n] && text[n] != '\n')] = '\0';
    return ifp_json_build(step, ret, "s", first);
}

/* Three steps beside each other. */
static int document_processing(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    const ifp_json *document = ifp_json_get(input, "/document"), *analysis, *sentiment, *summary;
    ifp_future parts[3];

    if (ifp_json_typeof(document, "") != IFP_JSON_STRING)
        return ifp_fail(run, "INVALID_INPUT", "the input needs /document, a text");
    IFP_TRY(ifp_spawn(run, "analyse", analyse, input, &parts[0]));
    IFP_TRY(ifp_spawn(run, "judge", judge, document, &parts[1]));
    IFP_TRY(ifp_spawn(run, "summarize", summarize, document, &parts[2]));
    IFP_TRY(ifp_await_all(run, parts, 3));
    IFP_TRY(ifp_future_result(run, parts[0], &analysis));
    IFP_TRY(ifp_future_result(run, parts[1], &sentiment));
    IFP_TRY(ifp_future_result(run, parts[2], &summary));
    return ifp_json_build(run, result, "{s:v, s:v, s:v}", "analysis", analysis, "sentiment",
                          sentiment, "summary", summary);
}

/* ---- chat-assist: the answer leaves word by word --------------------------------------------- */

enum { PROMPT_MAX = 1000 };

/* The answer, and its words with the space behind each. */
static int compose(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    static const char form[] = "You said: %s. This answer comes from a C program, word by word.";
    char answer[PROMPT_MAX + sizeof(form)], piece[PROMPT_MAX + 1];
    struct array words = { .step = step };
    const ifp_json *word, *list;
    int rc = 0, count = 0;
    const char *prompt = need_text(step, input, "/prompt", &rc);

    if (!prompt)
        return rc;
    if (strlen(prompt) > PROMPT_MAX)
        return ifp_step_fail(step, "INVALID_INPUT", IFP_FINAL, "/prompt is over %d bytes",
                             PROMPT_MAX);
    snprintf(answer, sizeof(answer), form, prompt);
    for (const char *at = answer; *at; count++) {
        size_t n = strcspn(at, " ");

        n += strspn(at + n, " ");
        snprintf(piece, sizeof(piece), "%.*s", (int)n, at);
        IFP_TRY(ifp_json_build(step, &word, "s", piece));
        IFP_TRY(array_add(&words, word));
        at += n;
    }
    IFP_TRY(array_end(&words, &list));
    IFP_TRY(ifp_step_cost(step, count, count * 0.000002));
    return ifp_json_build(step, ret, "{s:s, s:v}", "answer", answer, "words", list);
}

/* Emitted by the workflow, not by the step: each word is in the stream exactly once, also when a
 * worker dies in the middle. */
static int chat_assist(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    int64_t pace_ms = ifp_json_int(input, "/paceMs", 0);
    const ifp_json *composed, *note;
    char pointer[32];

    if (pace_ms < 0 || pace_ms > PACE_MAX_MS)
        return ifp_fail(run, "INVALID_INPUT", "/paceMs is not between 0 and %d", PACE_MAX_MS);
    IFP_TRY(ifp_json_build(run, &note, "{s:s}", "message", "composing an answer"));
    IFP_TRY(ifp_emit(run, "log", note));
    IFP_TRY(ifp_step(run, "compose", compose, input, &composed));
    for (size_t i = 0; i < ifp_json_len(composed, "/words"); i++) {
        snprintf(pointer, sizeof(pointer), "/words/%zu", i);
        IFP_TRY(ifp_emit(run, "token", ifp_json_get(composed, pointer)));
        if (pace_ms > 0)
            IFP_TRY(ifp_sleep_ms(run, pace_ms));
    }
    return ifp_json_build(run, result, "{s:v}", "answer", ifp_json_get(composed, "/answer"));
}

/* ---- calendar-classifier: "classify: meeting at 10am, lunch with Ada at 12:30" --------------- */

static const char *color_of(const char *title)
{
    static const struct {
        const char *word, *color;
    } colors[] = { { "meeting", "blue" }, { "call", "orange" },  { "lunch", "green" },
                   { "dinner", "green" }, { "deadline", "red" }, { "gym", "purple" } };
    char word[WORD_MAX];

    while (next_word(&title, word)) {
        for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++) {
            if (strcmp(word, colors[i].word) == 0)
                return colors[i].color;
        }
    }
    return "gray";
}

/* The event of the clause [from, to); its time is what stands behind " at ". */
static int read_event(struct array *events, const char *from, const char *to, int number)
{
    const ifp_json *event;
    char clause[256], id[24], *title = clause, *at = NULL, *end;

    snprintf(clause, sizeof(clause), "%.*s", (int)(to - from), from);
    title += strspn(title, " \t\n");
    for (end = title + strlen(title); end > title && strchr(" \t\n.", end[-1]);)
        *--end = '\0';
    if (!*title)
        return 0;
    for (char *next = strstr(title, " at "); next; next = strstr(next + 1, " at "))
        at = next;
    if (at)
        *at = '\0';
    title[0] = (char)toupper((unsigned char)title[0]);
    snprintf(id, sizeof(id), "event-%d", number);
    IFP_TRY(ifp_json_build(events->step, &event, "{s:s, s:s, s:s, s:s, s:b}", "id", id, "title",
                           title, "time", at ? at + 4 : "all day", "color", color_of(title),
                           "isNew", !strstr(title, "moved")));
    return array_add(events, event);
}

static int classify(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    struct array events = { .step = step };
    int rc = 0, number = 0;
    const char *text = need_text(step, input, "/input_as_text", &rc);

    if (!text)
        return rc;
    if (strncasecmp(text, "classify:", 9) == 0)
        text += 9;
    while (*text) {
        const char *from = text;

        text += strcspn(text, ",;\n");
        if (++number > EVENTS_MAX)
            return ifp_step_fail(step, "INVALID_INPUT", IFP_FINAL, "more than %d events",
                                 EVENTS_MAX);
        IFP_TRY(read_event(&events, from, text, number));
        text += *text != '\0';
    }
    return array_end(&events, ret);
}

/* The day is the one on which the execution came here: recorded, so it stays. */
static int calendar_classifier(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    const ifp_json *events;
    time_t now = (time_t)(ifp_now(run) / 1000);
    char name[16], number[8];
    struct tm day;

    if (!gmtime_r(&now, &day) || strftime(name, sizeof(name), "%A", &day) == 0 ||
        strftime(number, sizeof(number), "%d", &day) == 0)
        return ifp_fail(run, "SERVER_ERROR", "no date for %lld", (long long)now);
    IFP_TRY(ifp_step(run, "classify", classify, input, &events));
    return ifp_json_build(run, result, "{s:{s:s, s:s}, s:v}", "date", "name", name, "number",
                          number, "events", events);
}

/* ---- image-generation: circles whose places and colours come from the prompt ----------------- */

static uint32_t mix(uint32_t *state) /* xorshift */
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static int draw(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    enum { SIZE = 256, CIRCLES = 12 };
    int rc = 0, len;
    const char *prompt = need_text(step, input, "/prompt", &rc);
    uint32_t state = 2166136261;
    char svg[2048];

    if (!prompt)
        return rc;
    for (const char *at = prompt; *at; at++) /* FNV-1a */
        state = (state ^ (unsigned char)*at) * 16777619;
    state |= 1; /* xorshift stays at 0 */
    len = snprintf(svg, sizeof(svg),
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">"
                   "<rect width=\"100%%\" height=\"100%%\" fill=\"#%06x\"/>",
                   SIZE, SIZE, mix(&state) & 0xffffff);
    for (int i = 0; i < CIRCLES; i++) {
        unsigned x = mix(&state) % SIZE, y = mix(&state) % SIZE, r = 8 + mix(&state) % 56;

        len += snprintf(svg + len, sizeof(svg) - (size_t)len,
                        "<circle cx=\"%u\" cy=\"%u\" r=\"%u\" fill=\"#%06x\"/>", x, y, r,
                        mix(&state) & 0xffffff);
    }
    snprintf(svg + len, sizeof(svg) - (size_t)len, "</svg>");
    return ifp_json_build(step, ret, "{s:s, s:i, s:i}", "svg", svg, "width", SIZE, "height", SIZE);
}

static int image_generation(ifp_run *run, const ifp_json *input, const ifp_json **result)
{
    return ifp_step(run, "draw", draw, input, result);
}

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("samples");

    ifp_workflow(app, "test-echo", test_echo, NULL);
    ifp_workflow(app, "sentiment-analysis", sentiment_analysis, NULL);
    ifp_workflow(app, "content-generation", content_generation, NULL);
    ifp_workflow(app, "content-enhancement", content_enhancement, NULL);
    ifp_workflow(app, "translation", translation, NULL);
    ifp_workflow(app, "document-analysis", document_analysis, NULL);
    ifp_workflow(app, "document-processing", document_processing, NULL);
    ifp_workflow(app, "chat-assist", chat_assist, NULL);
    ifp_workflow(app, "calendar-classifier", calendar_classifier, NULL);
    ifp_workflow(app, "image-generation", image_generation, NULL);
    return ifp_main(app, argc, argv);
}
