/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_answer.c
 * Answers of the three forms. Hostile input: a server can send anything.
 */
#include "label/llm_answer.h"
#include "base/json.h"
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t blanks_skip(const char *text, size_t at, size_t n_bytes)
{
    while (at < n_bytes && is_blank(text[at]))
        at++;
    return at;
}

/* The choice that stands at `at`, or -1. */
static int choice_at(const rvl_prompt *p, const char *text, size_t at, size_t n_bytes)
{
    for (int c = 0; c < p->n_choices; c++) {
        const size_t n = strlen(p->choices[c].text);
        if (n <= n_bytes - at && memcmp(text + at, p->choices[c].text, n) == 0)
            return c;
    }
    return -1;
}

static rvl_status values_parse(rvl_answer_value *out, int n, const rvl_prompt *p, const char *text, size_t n_bytes,
                               rvl_error *err)
{
    size_t at = 0;

    for (int i = 0; i < n; i++) {
        at = blanks_skip(text, at, n_bytes);
        const int c = choice_at(p, text, at, n_bytes);
        if (c < 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "value %d of %d is none of the prompt's", i + 1, n);
        out[i] = (rvl_answer_value){.i_choice = c, .at = at};
        at = blanks_skip(text, at + strlen(p->choices[c].text), n_bytes);
        if (i + 1 < n && (at >= n_bytes || text[at++] != ','))
            return rvl_fail(err, RVL_ERR_FORMAT, "no comma behind value %d of %d", i + 1, n);
    }
    if (at < n_bytes)
        return rvl_fail(err, RVL_ERR_FORMAT, "something stands behind value %d of %d", n, n);
    return RVL_OK;
}

/* One word, with a full stop if it likes. */
static rvl_status word_parse(rvl_answer_value *out, const rvl_prompt *p, const char *text, size_t n_bytes,
                             rvl_error *err)
{
    size_t    at = blanks_skip(text, 0, n_bytes);
    const int c = choice_at(p, text, at, n_bytes);

    if (c < 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "the answer is none of the prompt's");
    *out = (rvl_answer_value){.i_choice = c, .at = at};
    at += strlen(p->choices[c].text);
    if (at < n_bytes && text[at] == '.')
        at++;
    if (blanks_skip(text, at, n_bytes) < n_bytes)
        return rvl_fail(err, RVL_ERR_FORMAT, "something stands behind the answer");
    return RVL_OK;
}

/* Past the string that begins at the quote `at`; strings were checked by the JSON parser. */
static size_t string_end(const char *text, size_t at, size_t n_bytes)
{
    for (at++; at < n_bytes && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at < n_bytes ? at + 1 : n_bytes;
}

/* Where the value of the key `name` begins in an object of simple values; 0 if the key was written with escapes. */
static size_t value_find(const char *text, size_t n_bytes, const char *name)
{
    const size_t n_name = strlen(name);

    for (size_t at = 0; at < n_bytes; at++) {
        if (text[at] != '"')
            continue;
        const size_t end = string_end(text, at, n_bytes);
        size_t       next = blanks_skip(text, end, n_bytes);
        if (next < n_bytes && text[next] == ':') {
            next = blanks_skip(text, next + 1, n_bytes);
            if (end - at == n_name + 2 && memcmp(text + at + 1, name, n_name) == 0 && next < n_bytes)
                return text[next] == '"' ? next + 1 : next;
        }
        at = end - 1;
    }
    return 0;
}

static int value_choice(const rvl_prompt *p, const json_t *value)
{
    for (int c = 0; value && c < p->n_choices; c++) {
        int64_t number = 0;
        if (json_is_string(value) ? strcmp(json_string_value(value), p->choices[c].text) == 0
                                  : json_is_integer(value) && rvl_parse_i64(p->choices[c].text, &number) &&
                                        number == json_integer_value(value))
            return c;
    }
    return -1;
}

static rvl_status json_values(rvl_answer_value *out, int n, const rvl_prompt *p, const rvl_schema *schema,
                              const char *text, size_t n_bytes, rvl_error *err)
{
    json_t    *o = NULL;
    rvl_status st = RVL_OK;

    if (rvl_json_parse(&o, text, n_bytes, "answer", NULL) || !json_is_object(o)) {
        json_decref(o);
        return rvl_fail(err, RVL_ERR_FORMAT, "the answer is no JSON object");
    }
    if (json_object_size(o) != (size_t)n)
        st = rvl_fail(err, RVL_ERR_FORMAT, "the answer has %zu keys, not %d", json_object_size(o), n);
    for (int i = 0; !st && i < n; i++) {
        const char *name = rvl_schema_at(schema, i)->name;
        out[i] = (rvl_answer_value){.i_choice = value_choice(p, json_object_get(o, name)),
                                    .at = value_find(text, n_bytes, name)};
        if (out[i].i_choice < 0)
            st = rvl_fail(err, RVL_ERR_FORMAT, "the answer lacks '%s', or its value is none of the prompt's", name);
    }
    json_decref(o);
    return st;
}

static rvl_status json_answer(rvl_answer_value *out, int n, const rvl_prompt *p, const rvl_schema *schema,
                              const char *text, size_t n_bytes, rvl_error *err)
{
    size_t from = blanks_skip(text, 0, n_bytes);
    size_t to = n_bytes;

    while (to > from && is_blank(text[to - 1]))
        to--;
    if (to - from > 6 && memcmp(text + from, "```", 3) == 0 && memcmp(text + to - 3, "```", 3) == 0) {
        to -= 3;
        from += 3;
        if (to - from > 4 && memcmp(text + from, "json", 4) == 0)
            from += 4;
    }
    rvl_status st = json_values(out, n, p, schema, text + from, to - from, err);
    for (int i = 0; !st && i < n; i++)
        if (out[i].at)
            out[i].at += from;
    return st;
}

rvl_status rvl_answer_parse(rvl_answer_value *out, int n, const rvl_prompt *p, const rvl_schema *schema,
                            const char *text, size_t n_bytes, rvl_error *err)
{
    if (p->form == RVL_PROMPT_VALUES)
        return values_parse(out, n, p, text, n_bytes, err);
    if (p->form == RVL_PROMPT_JSON)
        return json_answer(out, n, p, schema, text, n_bytes, err);
    return word_parse(out, p, text, n_bytes, err);
}
