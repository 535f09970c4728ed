/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/terms.c
 * A trie of words and prefixes; each token is walked through it once, and phrases are tried from their first word.
 */
#include "label/terms.h"
#include "base/alloc.h"
#include <string.h>

enum { ELEMENTS_MAX = 16, ALTERNATIVES_MAX = 24, GAPS_MAX = 3, GAP_WORDS = 4, WORD_BYTES_MAX = 48 };

typedef enum { ELEMENT_WORDS, ELEMENT_NUMBER, ELEMENT_GAP } element_kind;

typedef struct {
    element_kind kind;
    bool         is_optional;
    int32_t      first, n; /* atoms */
} element;

typedef struct {
    int32_t tag, first, n; /* elements */
} phrase;

typedef struct {
    int32_t word, prefix; /* atoms that end here, -1 */
    int32_t up;           /* atom of the longest prefix above, -1 */
} node;

typedef struct {
    void  *items;
    size_t n, capacity, size;
} list;

struct rvl__terms {
    list      nodes, atoms, elements, phrases; /* node, int32_t, element, phrase */
    int32_t   n_atoms;                         /* distinct words and prefixes; the atom n_atoms is "a number" */
    int32_t  *prefix_up;                       /* atom of a prefix -> next shorter prefix, -1 */
    int32_t  *starts, *start_phrases;          /* atom -> phrases that begin with it */
    /* transitions (node, byte) -> node, open addressing */
    uint64_t *keys;
    int32_t  *values;
    size_t    n_slots, n_used;
};

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot read rules: out of memory");
}

static void *list_add(list *l)
{
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 64;
        void  *grown = rvl_realloc_array(l->items, capacity, l->size);
        if (!grown)
            return NULL;
        l->items = grown;
        l->capacity = capacity;
    }
    void *item = (char *)l->items + l->n++ * l->size;
    memset(item, 0, l->size);
    return item;
}

#define NODE(t, i) (((node *)(t)->nodes.items)[i])
#define ATOM(t, i) (((int32_t *)(t)->atoms.items)[i])
#define ELEMENT(t, i) (((element *)(t)->elements.items)[i])
#define PHRASE(t, i) (((phrase *)(t)->phrases.items)[i])

static size_t slot_of(const rvl__terms *t, uint64_t key)
{
    size_t i = (size_t)((key * 0x9e3779b97f4a7c15ull) >> 32) & (t->n_slots - 1);

    while (t->keys[i] && t->keys[i] != key)
        i = (i + 1) & (t->n_slots - 1);
    return i;
}

static uint64_t key_of(int32_t from, unsigned char byte)
{
    return ((uint64_t)(uint32_t)from << 8 | byte) + 1;
}

static int32_t step(const rvl__terms *t, int32_t from, unsigned char byte)
{
    size_t i = slot_of(t, key_of(from, byte));
    return t->keys[i] ? t->values[i] : -1;
}

static bool slots_grow(rvl__terms *t)
{
    rvl__terms old = *t;

    t->n_slots = old.n_slots ? 2 * old.n_slots : 1024;
    t->keys = rvl_alloc_array(t->n_slots, sizeof *t->keys);
    t->values = rvl_alloc_array(t->n_slots, sizeof *t->values);
    if (!t->keys || !t->values) {
        rvl_free(t->keys);
        rvl_free(t->values);
        t->keys = old.keys;
        t->values = old.values;
        t->n_slots = old.n_slots;
        return false;
    }
    for (size_t i = 0; i < old.n_slots; i++)
        if (old.keys[i]) {
            size_t to = slot_of(t, old.keys[i]);
            t->keys[to] = old.keys[i];
            t->values[to] = old.values[i];
        }
    rvl_free(old.keys);
    rvl_free(old.values);
    return true;
}

/* The node behind `from` by `byte`, made if absent; -1 when out of memory. */
static int32_t step_make(rvl__terms *t, int32_t from, unsigned char byte)
{
    int32_t to = step(t, from, byte);

    if (to >= 0)
        return to;
    if (2 * (t->n_used + 1) > t->n_slots && !slots_grow(t))
        return -1;
    node *made = list_add(&t->nodes);
    if (!made)
        return -1;
    *made = (node){-1, -1, -1};
    to = (int32_t)t->nodes.n - 1;
    size_t i = slot_of(t, key_of(from, byte));
    t->keys[i] = key_of(from, byte);
    t->values[i] = to;
    t->n_used++;
    return to;
}

rvl__terms *rvl__terms_new(void)
{
    rvl__terms *t = rvl_alloc_array(1, sizeof *t);

    if (!t)
        return NULL;
    t->nodes.size = sizeof(node);
    t->atoms.size = sizeof(int32_t);
    t->elements.size = sizeof(element);
    t->phrases.size = sizeof(phrase);
    node *root = slots_grow(t) ? list_add(&t->nodes) : NULL;
    if (!root) {
        rvl__terms_free(t);
        return NULL;
    }
    *root = (node){-1, -1, -1};
    return t;
}

void rvl__terms_free(rvl__terms *t)
{
    if (!t)
        return;
    rvl_free(t->nodes.items);
    rvl_free(t->atoms.items);
    rvl_free(t->elements.items);
    rvl_free(t->phrases.items);
    rvl_free(t->prefix_up);
    rvl_free(t->starts);
    rvl_free(t->start_phrases);
    rvl_free(t->keys);
    rvl_free(t->values);
    rvl_free(t);
}

static bool is_word_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/* One alternative of a word: [text, text + n), a '*' at its end makes it a prefix. */
static rvl_status word_add(rvl__terms *t, const char *text, size_t n, rvl_error *err)
{
    const bool is_prefix = n > 1 && text[n - 1] == '*';
    int32_t    at = 0;

    n -= is_prefix;
    if (n == 0 || n > WORD_BYTES_MAX)
        return rvl_fail(err, RVL_ERR_FORMAT, "a word is empty or longer than %d bytes", WORD_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (!is_word_byte(c) && (n > 1 || is_prefix))
            return rvl_fail(err, RVL_ERR_FORMAT, "'%.*s' has a '%c' in it, where words have letters and digits", (int)n,
                            text, text[i]);
        if (c >= 'A' && c <= 'Z')
            return rvl_fail(err, RVL_ERR_FORMAT, "'%.*s' has capital letters; phrases are in lower case", (int)n, text);
        at = step_make(t, at, c);
        if (at < 0)
            return no_memory(err);
    }
    int32_t *atom = is_prefix ? &NODE(t, at).prefix : &NODE(t, at).word;
    if (*atom < 0)
        *atom = t->n_atoms++;
    int32_t *item = list_add(&t->atoms);
    if (!item)
        return no_memory(err);
    *item = *(is_prefix ? &NODE(t, at).prefix : &NODE(t, at).word);
    return RVL_OK;
}

/* One blank-separated part of a phrase. */
static rvl_status element_add(rvl__terms *t, const char *text, size_t n, rvl_error *err)
{
    element   *e = list_add(&t->elements);
    rvl_status st = RVL_OK;

    if (!e)
        return no_memory(err);
    const size_t i_element = t->elements.n - 1;
    e->first = (int32_t)t->atoms.n;
    if (n == 3 && memcmp(text, "...", 3) == 0) {
        e->kind = ELEMENT_GAP;
        return RVL_OK;
    }
    e->is_optional = n > 1 && text[n - 1] == '?';
    n -= e->is_optional;
    if (n == 1 && *text == '#') {
        e->kind = ELEMENT_NUMBER;
        return RVL_OK;
    }
    for (size_t at = 0; !st && at <= n;) {
        size_t length = 0;
        while (at + length < n && text[at + length] != '|')
            length++;
        st = word_add(t, text + at, length, err);
        at += length + 1;
    }
    element *made = &ELEMENT(t, i_element);
    made->n = (int32_t)t->atoms.n - made->first;
    if (!st && made->n > ALTERNATIVES_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "more than %d words with '|' between them", ALTERNATIVES_MAX);
    return st;
}

static rvl_status phrase_check(const rvl__terms *t, const phrase *p, rvl_error *err)
{
    int n_gaps = 0;

    if (p->n == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "the phrase is empty");
    if (p->n > ELEMENTS_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "the phrase has more than %d words", ELEMENTS_MAX);
    for (int32_t i = 0; i < p->n; i++)
        n_gaps += ELEMENT(t, p->first + i).kind == ELEMENT_GAP;
    if (n_gaps > GAPS_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "the phrase has more than %d '...'", GAPS_MAX);
    const element *first = &ELEMENT(t, p->first);
    const element *last = &ELEMENT(t, p->first + p->n - 1);
    if (first->kind == ELEMENT_GAP || last->kind == ELEMENT_GAP || first->is_optional || last->is_optional)
        return rvl_fail(err, RVL_ERR_FORMAT, "a phrase begins and ends with words that may not be left out");
    return RVL_OK;
}

rvl_status rvl__terms_add(rvl__terms *t, const char *text, int32_t tag, rvl_error *err)
{
    phrase    *p = list_add(&t->phrases);
    rvl_status st = RVL_OK;

    if (!p)
        return no_memory(err);
    p->tag = tag;
    p->first = (int32_t)t->elements.n;
    for (const char *at = text; !st && *at;) {
        size_t n = strcspn(at, " \t\r\n");
        if (n > 0)
            st = element_add(t, at, n, err);
        at += n;
        at += strspn(at, " \t\r\n");
    }
    if (st)
        return st;
    p->n = (int32_t)t->elements.n - p->first;
    return phrase_check(t, p, err);
}

/* Atoms of prefixes that stand above others: nodes were made parents first, so one pass over the edges suffices. */
static rvl_status prefixes_link(rvl__terms *t, rvl_error *err)
{
    int32_t *parent = rvl_alloc_array(t->nodes.n, sizeof *parent);

    t->prefix_up = rvl_alloc_array((size_t)t->n_atoms + 1, sizeof *t->prefix_up);
    if (!parent || !t->prefix_up) {
        rvl_free(parent);
        return no_memory(err);
    }
    for (size_t i = 0; i < t->n_slots; i++)
        if (t->keys[i])
            parent[t->values[i]] = (int32_t)((t->keys[i] - 1) >> 8);
    for (size_t i = 1; i < t->nodes.n; i++) {
        node       *n = &NODE(t, i);
        const node *above = &NODE(t, parent[i]);
        n->up = above->prefix >= 0 ? above->prefix : above->up;
        if (n->prefix >= 0)
            t->prefix_up[n->prefix] = n->up;
    }
    rvl_free(parent);
    return RVL_OK;
}

/* Visit the atoms that phrase `i` begins with: count them, or enter the phrase at its atoms' cursors. */
static void starts_visit(rvl__terms *t, size_t i, int32_t *counts, int32_t *cursors)
{
    const element *e = &ELEMENT(t, PHRASE(t, i).first);
    const int32_t  n = e->kind == ELEMENT_NUMBER ? 1 : e->n;

    for (int32_t j = 0; j < n; j++) {
        const int32_t atom = e->kind == ELEMENT_NUMBER ? t->n_atoms : ATOM(t, e->first + j);
        if (counts)
            counts[atom]++;
        else
            t->start_phrases[cursors[atom]++] = (int32_t)i;
    }
}

rvl_status rvl__terms_finish(rvl__terms *t, rvl_error *err)
{
    const size_t n = (size_t)t->n_atoms + 1; /* the last is "a number" */
    int32_t     *cursors = rvl_alloc_array(n, sizeof *cursors);
    rvl_status   st = cursors ? prefixes_link(t, err) : no_memory(err);

    if (!st) {
        t->starts = rvl_alloc_array(n + 1, sizeof *t->starts);
        st = t->starts ? RVL_OK : no_memory(err);
    }
    for (size_t i = 0; !st && i < t->phrases.n; i++)
        starts_visit(t, i, t->starts + 1, NULL);
    for (size_t i = 0; !st && i < n; i++) {
        t->starts[i + 1] += t->starts[i];
        cursors[i] = t->starts[i];
    }
    if (!st) {
        t->start_phrases = rvl_alloc_array((size_t)t->starts[n] + 1, sizeof *t->start_phrases);
        st = t->start_phrases ? RVL_OK : no_memory(err);
    }
    for (size_t i = 0; !st && i < t->phrases.n; i++)
        starts_visit(t, i, NULL, cursors);
    rvl_free(cursors);
    return st;
}

static unsigned char lowered(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static void token_look_up(rvl__token *k, const rvl__terms *t, const char *text)
{
    int32_t at = 0;

    k->word = -1;
    k->prefix = -1;
    for (uint32_t i = 0; i < k->n_bytes; i++) {
        at = step(t, at, lowered(text[k->at + i]));
        if (at < 0)
            return;
        if (NODE(t, at).prefix >= 0)
            k->prefix = NODE(t, at).prefix;
    }
    k->word = NODE(t, at).word;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of the token at `at`: a number with its decimals, a word, or one character. */
static size_t token_length(const char *text, size_t n_bytes, size_t at, bool *is_number)
{
    size_t i = at;

    *is_number = false;
    if (is_digit(text[at])) {
        while (i < n_bytes &&
               (is_digit(text[i]) || ((text[i] == '.' || text[i] == ',') && i + 1 < n_bytes && is_digit(text[i + 1]))))
            i++;
        *is_number = i == n_bytes || !is_word_byte((unsigned char)text[i]);
    }
    while (i < n_bytes && is_word_byte((unsigned char)text[i]))
        i++;
    return i > at ? i - at : 1;
}

/* Hyphens and slashes inside words, quotes and blanks part words and are none. */
static bool is_gap(const char *text, size_t n_bytes, size_t at)
{
    if (strchr(" \t\r\n\f\v'\"_*", text[at]) || text[at] == '\0')
        return true;
    return (text[at] == '-' || text[at] == '/') && at > 0 && at + 1 < n_bytes &&
           is_word_byte((unsigned char)text[at - 1]) && is_word_byte((unsigned char)text[at + 1]);
}

size_t rvl__terms_tokens(rvl__token *out, const rvl__terms *t, const char *text, size_t n_bytes)
{
    size_t n = 0;

    for (size_t at = 0; at < n_bytes;) {
        if (is_gap(text, n_bytes, at)) {
            at++;
            continue;
        }
        rvl__token *k = &out[n++];
        k->at = (uint32_t)at;
        k->n_bytes = (uint32_t)token_length(text, n_bytes, at, &k->is_number);
        k->mark = is_word_byte((unsigned char)text[at]) ? '\0' : text[at];
        token_look_up(k, t, text);
        at += k->n_bytes;
    }
    return n;
}

static bool element_is(const rvl__terms *t, const element *e, const rvl__token *k)
{
    if (e->kind == ELEMENT_NUMBER)
        return k->is_number;
    for (int32_t i = 0; i < e->n; i++) {
        const int32_t atom = ATOM(t, e->first + i);
        if (atom == k->word)
            return true;
        for (int32_t p = k->prefix; p >= 0; p = t->prefix_up[p])
            if (atom == p)
                return true;
    }
    return false;
}

/* The end of the longest match of elements [i, p->n) from token `at`; -1 if none. */
static int32_t phrase_end(const rvl__terms *t, const phrase *p, int32_t i, const rvl__token *tokens, int32_t at,
                          int32_t n)
{
    int32_t best = -1;

    for (; i < p->n; i++) {
        const element *e = &ELEMENT(t, p->first + i);
        if (e->kind == ELEMENT_GAP) {
            for (int32_t skip = 0; skip <= GAP_WORDS && at + skip <= n; skip++) {
                int32_t end = phrase_end(t, p, i + 1, tokens, at + skip, n);
                best = end > best ? end : best;
                if (at + skip < n && tokens[at + skip].mark && strchr(".;:", tokens[at + skip].mark))
                    break;
            }
            return best;
        }
        if (e->is_optional) {
            int32_t without = phrase_end(t, p, i + 1, tokens, at, n);
            best = without > best ? without : best;
        }
        if (at >= n || !element_is(t, e, &tokens[at]))
            return best;
        at++;
    }
    return at > best ? at : best;
}

static size_t find_from(rvl__match *out, size_t max, size_t n_found, const rvl__terms *t, int32_t atom,
                        const rvl__token *tokens, int32_t at, int32_t n)
{
    for (int32_t j = t->starts[atom]; j < t->starts[atom + 1]; j++) {
        const phrase *p = &PHRASE(t, t->start_phrases[j]);
        const int32_t end = phrase_end(t, p, 1, tokens, at + 1, n);
        if (end >= 0 && n_found < max)
            out[n_found++] = (rvl__match){p->tag, at, end};
    }
    return n_found;
}

size_t rvl__terms_find(rvl__match *out, size_t max, const rvl__terms *t, const rvl__token *tokens, size_t n)
{
    size_t n_found = 0;

    for (size_t i = 0; i < n; i++) {
        const rvl__token *k = &tokens[i];
        if (k->is_number)
            n_found = find_from(out, max, n_found, t, t->n_atoms, tokens, (int32_t)i, (int32_t)n);
        if (k->word >= 0)
            n_found = find_from(out, max, n_found, t, k->word, tokens, (int32_t)i, (int32_t)n);
        for (int32_t p = k->prefix; p >= 0; p = t->prefix_up[p])
            n_found = find_from(out, max, n_found, t, p, tokens, (int32_t)i, (int32_t)n);
    }
    return n_found;
}
