/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_prompt.c
 * Prompt files: strict keys, places that are filled once, answers and their meanings.
 */
#include "label/llm_prompt.h"
#include "base/alloc.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/util.h"
#include "base/yaml.h"
#include <string.h>

#define PROMPT_BYTES_MAX ((size_t)64 << 10)

static const char *const ANSWER_NAMES[] = {"present", "absent", "uncertain", "not_mentioned", "unclear", "denied"};
static const char *const FORM_NAMES[] = {"values", "json", "each"};

static int name_index(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (rvl_str_equal(names[i], name))
            return (int)i;
    return -1;
}

static rvl_status choices_read(rvl_prompt *p, const rvl_yaml *root, rvl_error *err)
{
    const rvl_yaml *map = rvl_yaml_get(root, "answers");

    if (!map || map->kind != RVL_YAML_MAP || map->n_items < 2 || map->n_items > RVL_PROMPT_CHOICES_MAX)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'answers' must be a map of 2 to %d answers and their meanings",
                        root->file, map ? map->line : root->line, RVL_PROMPT_CHOICES_MAX);
    for (size_t i = 0; i < map->n_items; i++) {
        const rvl_yaml *item = map->items[i];
        const int       a =
            item->kind == RVL_YAML_SCALAR ? name_index(ANSWER_NAMES, RVL_ARRAY_LEN(ANSWER_NAMES), item->text) : -1;
        if (a < 0)
            return rvl_fail(err, RVL_ERR_FORMAT,
                            "%s:%d: answer '%s' must mean present, absent, uncertain, not_mentioned, unclear or denied",
                            item->file, item->line, map->keys[i]);
        if (!*map->keys[i] || strpbrk(map->keys[i], ",\"\\\n{}"))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: an answer is empty or has a comma, quote, brace or line end",
                            item->file, item->line);
        for (int j = 0; j < p->n_choices; j++)
            if (rvl_str_starts(map->keys[i], p->choices[j].text) || rvl_str_starts(p->choices[j].text, map->keys[i]))
                return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: answer '%s' begins like answer '%s'", item->file,
                                item->line, map->keys[i], p->choices[j].text);
        p->choices[p->n_choices++] = (rvl_prompt_choice){.text = map->keys[i], .answer = (rvl_answer)a};
    }
    return RVL_OK;
}

static rvl_status places_check(const rvl_prompt *p, const rvl_yaml *root, rvl_error *err)
{
    const char *report = strstr(p->user, "{report}");
    const char *finding = strstr(p->user, "{finding}");

    if (!report || strstr(p->system, "{report}") || strstr(report + 1, "{report}"))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: {report} must stand once, in 'user'", root->file, root->line);
    if (p->form == RVL_PROMPT_EACH && (!finding || finding < report || strstr(p->system, "{finding}")))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: {finding} must stand in 'user' behind {report}", root->file,
                        root->line);
    if (p->form != RVL_PROMPT_EACH && (finding || strstr(p->system, "{finding}")))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: {finding} is for form 'each'", root->file, root->line);
    return RVL_OK;
}

static rvl_status prompt_read(rvl_prompt *p, const rvl_yaml *root, rvl_error *err)
{
    static const char *const keys[] = {"name", "form", "system", "user", "answers", NULL};
    const char              *form = NULL;
    rvl_status               st = rvl_yaml_check_keys(root, keys, err);

    if (!st)
        st = rvl_yaml_read_string(&p->name, root, "name", err);
    if (!st)
        st = rvl_yaml_read_string(&form, root, "form", err);
    if (!st)
        st = rvl_yaml_read_string(&p->system, root, "system", err);
    if (!st)
        st = rvl_yaml_read_string(&p->user, root, "user", err);
    if (st)
        return st;
    const int f = form ? name_index(FORM_NAMES, RVL_ARRAY_LEN(FORM_NAMES), form) : -1;
    if (f < 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'form' must be values, json or each", root->file, root->line);
    if (!p->name || !*p->name || !p->user)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: a prompt needs 'name' and 'user'", root->file, root->line);
    p->form = (rvl_prompt_form)f;
    if (!p->system)
        p->system = "";
    st = places_check(p, root, err);
    return st ? st : choices_read(p, root, err);
}

rvl_status rvl_prompt_parse(rvl_prompt **out, const char *yaml, size_t n_bytes, const char *name, rvl_error *err)
{
    rvl_yaml_doc *doc = NULL;
    rvl_prompt   *p = NULL;

    *out = NULL;
    rvl_status st = rvl_yaml_parse(&doc, yaml, n_bytes, name, err);
    if (!st && !(p = rvl_alloc_array(1, sizeof *p)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot read prompt '%s': out of memory", name);
    if (!st) {
        p->owner = doc;
        rvl_hash128_hex(p->version, yaml, n_bytes);
        st = prompt_read(p, rvl_yaml_root(doc), err);
    }
    if (st) {
        rvl_yaml_free(doc);
        rvl_free(p);
        return st;
    }
    *out = p;
    return RVL_OK;
}

void rvl_prompt_free(rvl_prompt *p)
{
    if (!p)
        return;
    rvl_yaml_free(p->owner);
    rvl_free(p);
}

rvl_status rvl_prompt_open(rvl_prompt **out, const char *name_or_path, rvl_error *err)
{
    char      *text = NULL;
    size_t     n_bytes = 0;
    rvl_status st = RVL_OK;

    *out = NULL;
    if (!strchr(name_or_path, '/') && !rvl_str_ends(name_or_path, ".yaml")) {
        for (const rvl_embedded *e = rvl_embedded_files; e->name; e++)
            if (rvl_str_starts(e->name, "prompts/") && rvl_str_equal(e->name + 8, name_or_path))
                return rvl_prompt_parse(out, e->text, e->n_bytes, e->name, err);
        return rvl_fail(err, RVL_ERR_NOT_FOUND,
                        "no prompt '%s'\nhint: published-ct, json, yes-no, or a path that ends in .yaml", name_or_path);
    }
    st = rvl_file_read(&text, &n_bytes, name_or_path, PROMPT_BYTES_MAX, err);
    if (!st)
        st = rvl_prompt_parse(out, text, n_bytes, name_or_path, err);
    rvl_free(text);
    return st;
}

/* What stands for the place at `text`; returns the bytes of the place, 0 if it is none. */
static size_t place_fill(rvl_str *s, const char *text, const rvl_schema *schema, rvl_span report, int i_finding)
{
    const int k = rvl_schema_count(schema);

    if (rvl_str_starts(text, "{report}")) {
        rvl_str_add_n(s, report.ptr, report.n_bytes);
        return 8;
    }
    if (rvl_str_starts(text, "{finding}") && i_finding >= 0) {
        rvl_str_add(s, rvl_schema_at(schema, i_finding)->title);
        return 9;
    }
    if (rvl_str_starts(text, "{findings}")) {
        for (int j = 0; j < k; j++)
            rvl_str_addf(s, "%s%d. %s", j ? "\n" : "", j + 1, rvl_schema_at(schema, j)->title);
        return 10;
    }
    if (rvl_str_starts(text, "{names}")) {
        for (int j = 0; j < k; j++)
            rvl_str_addf(s, "%s%s", j ? ", " : "", rvl_schema_at(schema, j)->name);
        return 7;
    }
    if (rvl_str_starts(text, "{example}")) {
        static const char *const values[] = {"0", "1", "-1", "0", "0"};
        for (int j = 0; j < k; j++)
            rvl_str_addf(s, "%s%s", j ? "," : "", values[(size_t)j % RVL_ARRAY_LEN(values)]);
        return 9;
    }
    if (rvl_str_starts(text, "{n}")) {
        rvl_str_addf(s, "%d", k);
        return 3;
    }
    return 0;
}

char *rvl_prompt_fill(const char *text, const rvl_schema *schema, rvl_span report, int i_finding)
{
    rvl_str s = {0};

    while (*text) {
        const size_t n_plain = strcspn(text, "{");
        rvl_str_add_n(&s, text, n_plain);
        text += n_plain;
        if (!*text)
            break;
        const size_t n_place = place_fill(&s, text, schema, report, i_finding);
        if (n_place == 0)
            rvl_str_add(&s, "{");
        text += n_place ? n_place : 1;
    }
    while (!s.failed && s.n_bytes > 0 && s.ptr[s.n_bytes - 1] == '\n')
        s.ptr[--s.n_bytes] = '\0';
    return rvl_str_take(&s);
}

static uint8_t folded(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c == '_' || c == '-' || c == '\n' ? ' ' : c;
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

static bool text_has(rvl_span text, const char *words)
{
    const size_t n = strlen(words);

    for (size_t i = 0; n > 0 && i + n <= text.n_bytes; i++) {
        size_t j = 0;
        while (j < n && folded(text.ptr[i + j]) == folded((uint8_t)words[j]))
            j++;
        if (j == n && (i == 0 || !is_word(folded(text.ptr[i - 1]))) &&
            (i + n == text.n_bytes || !is_word(folded(text.ptr[i + n])) || folded(text.ptr[i + n]) == 's'))
            return true;
    }
    return false;
}

bool rvl_prompt_names(rvl_span text, const rvl_finding *finding)
{
    if (text_has(text, finding->title))
        return true;
    for (size_t i = 0; i < finding->n_synonyms; i++)
        if (text_has(text, finding->synonyms[i]))
            return true;
    return false;
}

rvl_label_state rvl_answer_state(rvl_answer a, bool is_named)
{
    switch (a) {
    case RVL_ANSWER_PRESENT:
        return RVL_LABEL_PRESENT;
    case RVL_ANSWER_ABSENT:
        return RVL_LABEL_ABSENT;
    case RVL_ANSWER_UNCERTAIN:
        return RVL_LABEL_UNCERTAIN;
    case RVL_ANSWER_UNCLEAR:
        return is_named ? RVL_LABEL_UNCERTAIN : RVL_LABEL_NOT_MENTIONED;
    case RVL_ANSWER_DENIED:
        return is_named ? RVL_LABEL_ABSENT : RVL_LABEL_NOT_MENTIONED;
    case RVL_ANSWER_NOT_MENTIONED:
        break;
    }
    return RVL_LABEL_NOT_MENTIONED;
}

double rvl_answer_weight(rvl_answer a, bool is_named)
{
    const rvl_label_state s = rvl_answer_state(a, is_named);
    return s == RVL_LABEL_PRESENT ? 1.0 : s == RVL_LABEL_UNCERTAIN ? 0.5 : 0.0;
}
