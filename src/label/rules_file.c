/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/rules_file.c
 * Rule files from YAML (docs/formats/rules.md): strict keys, lists put into phrases, messages with file and line.
 */
#include "label/rules_file.h"
#include "base/alloc.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/util.h"
#include "base/yaml.h"
#include <string.h>

enum { PHRASES_MAX = 65536, LISTS_MAX = 64, PHRASE_BYTES_MAX = 1024 };
#define RULES_BYTES_MAX ((size_t)1 << 20)
static const char folder[] = "rules/";

static const char *const outcome_names[RVL_RULES_OUTCOMES] = {"not_mentioned", "absent", "uncertain", "hint",
                                                              "disputed",      "once",   "often"};
/* used where a file gives none: about the shares that bench/labels_ct.py finds over all CT findings */
static const double      outcome_defaults[RVL_RULES_OUTCOMES] = {0.01, 0.005, 0.2, 0.14, 0.88, 0.9, 0.97};

typedef struct {
    const char     *name;
    const rvl_yaml *entries;
} word_list;

typedef struct {
    rvl__rules_file  *file;
    const rvl_schema *schema;
    word_list         lists[LISTS_MAX];
    int               n_lists;
    int               n_phrases;
    rvl_hasher       *hasher;
} reader;

const char *rvl_rules_outcome_text(rvl_rules_outcome o)
{
    return (unsigned)o < RVL_RULES_OUTCOMES ? outcome_names[o] : "not_mentioned";
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot read rules: out of memory");
}

static rvl_status need_kind(const rvl_yaml *y, rvl_yaml_kind kind, const char *what, rvl_error *err)
{
    if (y->kind == kind)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: %s must be %s", y->file, y->line, what,
                    kind == RVL_YAML_MAP   ? "a map"
                    : kind == RVL_YAML_SEQ ? "a list"
                                           : "a text");
}

static const word_list *list_find(const reader *r, const char *name, size_t n)
{
    for (int i = 0; i < r->n_lists; i++)
        if (strlen(r->lists[i].name) == n && memcmp(r->lists[i].name, name, n) == 0)
            return &r->lists[i];
    return NULL;
}

/* Add `text`, its first <list> replaced by each entry in turn; entries may hold lists that were named before. */
static rvl_status phrase_add(reader *r, const char *text, int32_t tag, const rvl_yaml *at, int depth, rvl_error *err)
{
    const char      *open = strchr(text, '<');
    const char      *close = open ? strchr(open, '>') : NULL;
    const word_list *list = close ? list_find(r, open + 1, (size_t)(close - open - 1)) : NULL;
    rvl_status       st = RVL_OK;

    if (!close) {
        if (r->n_phrases++ >= PHRASES_MAX)
            return rvl_fail(err, RVL_ERR_LIMIT, "%s:%d: more than %d phrases", at->file, at->line, PHRASES_MAX);
        st = rvl__terms_add(r->file->terms, text, tag, err);
        if (st)
            rvl_error_prefix(err, "%s:%d", at->file, at->line);
        return st;
    }
    if (!list || depth > 8)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: there is no list '%.*s'", at->file, at->line,
                        (int)(close - open - 1), open + 1);
    for (size_t i = 0; !st && i < list->entries->n_items; i++) {
        const char  *entry = list->entries->items[i]->text;
        const size_t n = strlen(text) + strlen(entry);
        rvl_str      filled = {0};
        if (n > PHRASE_BYTES_MAX)
            return rvl_fail(err, RVL_ERR_LIMIT, "%s:%d: a phrase is longer than %d bytes", at->file, at->line,
                            PHRASE_BYTES_MAX);
        rvl_str_add_n(&filled, text, (size_t)(open - text));
        rvl_str_add(&filled, entry);
        rvl_str_add(&filled, close + 1);
        st = filled.failed ? no_memory(err) : phrase_add(r, filled.ptr, tag, at, depth + 1, err);
        rvl_str_free(&filled);
    }
    return st;
}

static rvl_status phrases_read(reader *r, const rvl_yaml *map, const char *key, int32_t tag, int *n, rvl_error *err)
{
    const rvl_yaml *seq = rvl_yaml_get(map, key);
    rvl_status      st = seq ? need_kind(seq, RVL_YAML_SEQ, key, err) : RVL_OK;

    for (size_t i = 0; !st && seq && i < seq->n_items; i++) {
        st = need_kind(seq->items[i], RVL_YAML_SCALAR, "a phrase", err);
        if (!st)
            st = phrase_add(r, seq->items[i]->text, tag, seq->items[i], 0, err);
    }
    if (n)
        *n = seq ? (int)seq->n_items : 0;
    return st;
}

static rvl_status lists_read(reader *r, const rvl_yaml *map, rvl_error *err)
{
    rvl_status st = map ? need_kind(map, RVL_YAML_MAP, "'lists'", err) : RVL_OK;

    for (size_t i = 0; !st && map && i < map->n_items; i++) {
        const rvl_yaml *entries = map->items[i];
        if (r->n_lists == LISTS_MAX)
            return rvl_fail(err, RVL_ERR_LIMIT, "%s:%d: more than %d lists", entries->file, entries->line, LISTS_MAX);
        st = need_kind(entries, RVL_YAML_SEQ, "a list of words", err);
        for (size_t j = 0; !st && j < entries->n_items; j++)
            st = need_kind(entries->items[j], RVL_YAML_SCALAR, "a word", err);
        if (!st && list_find(r, map->keys[i], strlen(map->keys[i])))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: list '%s' stands twice", entries->file, entries->line,
                            map->keys[i]);
        r->lists[r->n_lists++] = (word_list){map->keys[i], entries};
    }
    return st;
}

static rvl_status cues_read(reader *r, const rvl_yaml *map, rvl_error *err)
{
    static const char *const keys[] = {"absent", "uncertain", "ignore", "stop", "affirm", "none", NULL};
    static const char *const sides[] = {"before", "after", NULL};
    rvl_status               st = RVL_OK;

    if (!map)
        return RVL_OK;
    st = need_kind(map, RVL_YAML_MAP, "'cues'", err);
    if (!st)
        st = rvl_yaml_check_keys(map, keys, err);
    for (int i = 0; !st && i < 3; i++) {
        const rvl_yaml *pair = rvl_yaml_get(map, keys[i]);
        if (!pair)
            continue;
        st = need_kind(pair, RVL_YAML_MAP, keys[i], err);
        if (!st)
            st = rvl_yaml_check_keys(pair, sides, err);
        for (int side = 0; !st && side < 2; side++)
            st = phrases_read(r, pair, sides[side], 2 * i + side, NULL, err);
    }
    for (int i = 3; !st && i < 6; i++)
        st = phrases_read(r, map, keys[i], RVL__CUE_STOP + i - 3, NULL, err);
    return st;
}

static rvl_status sections_read(reader *r, const rvl_yaml *map, rvl_error *err)
{
    const char *names[RVL_SECTION_COUNT + 1] = {0};
    rvl_status  st = map ? need_kind(map, RVL_YAML_MAP, "'sections'", err) : RVL_OK;

    for (int i = 0; i < RVL_SECTION_COUNT; i++)
        names[i] = rvl_section_text((rvl_section)i);
    if (!st && map)
        st = rvl_yaml_check_keys(map, names, err);
    for (int i = 0; !st && i < RVL_SECTION_COUNT; i++) {
        const char *text = r->file->is_read[i] ? "read" : "ignore";
        st = rvl_yaml_read_string(&text, map, names[i], err);
        if (!st && strcmp(text, "read") != 0 && strcmp(text, "ignore") != 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: section '%s' is read or ignore, not '%s'", map->file,
                            map->line, names[i], text);
        r->file->is_read[i] = strcmp(text, "read") == 0;
    }
    return st;
}

static rvl_status probability_read(double *p, const rvl_yaml *map, rvl_error *err)
{
    const char *keys[RVL_RULES_OUTCOMES + 1] = {0};
    rvl_status  st = map ? need_kind(map, RVL_YAML_MAP, "'probability'", err) : RVL_OK;

    memcpy(keys, outcome_names, sizeof outcome_names);
    if (!st && map)
        st = rvl_yaml_check_keys(map, keys, err);
    for (int i = 0; !st && i < RVL_RULES_OUTCOMES; i++) {
        st = rvl_yaml_read_f64(&p[i], map, keys[i], err);
        if (!st && !(p[i] >= 0.0 && p[i] <= 1.0))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: probability '%s' is outside 0..1", map->file, map->line,
                            keys[i]);
    }
    return st;
}

/* Findings of which none may be there: for "no finding". */
static rvl_status none_of_read(reader *r, int k, const rvl_yaml *seq, int *n, rvl_error *err)
{
    rvl_status st = seq ? need_kind(seq, RVL_YAML_SEQ, "'none_of'", err) : RVL_OK;

    for (size_t i = 0; !st && seq && i < seq->n_items; i++) {
        st = need_kind(seq->items[i], RVL_YAML_SCALAR, "a finding", err);
        int other = st ? -1 : rvl_schema_index(r->schema, seq->items[i]->text);
        if (!st && (other < 0 || other == k))
            st = rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: '%s' is no other finding of schema '%s'", seq->items[i]->file,
                          seq->items[i]->line, seq->items[i]->text, rvl_schema_name(r->schema));
        if (!st)
            r->file->none_of[k * rvl_schema_count(r->schema) + other] = true;
        *n += !st;
    }
    return st;
}

static rvl_status finding_read(reader *r, const rvl_yaml *map, bool *seen, rvl_error *err)
{
    static const char *const keys[] = {"mentions", "hints", "denied",  "except",      "unless",
                                       "needs",    "name",  "none_of", "probability", NULL};
    const char              *name = NULL;
    rvl_status               st = need_kind(map, RVL_YAML_MAP, "a finding", err);
    int                      n[RVL__ROLE_COUNT] = {0};
    int                      n_others = 0;

    if (!st)
        st = rvl_yaml_check_keys(map, keys, err);
    if (!st)
        st = rvl_yaml_read_string(&name, map, "name", err);
    if (st)
        return st;
    int k = name ? rvl_schema_index(r->schema, name) : -1;
    if (k < 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: schema '%s' has no finding '%s'", map->file, map->line,
                        rvl_schema_name(r->schema), name ? name : "");
    if (seen[k])
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: finding '%s' stands twice", map->file, map->line, name);
    seen[k] = true;
    for (int role = 0; !st && role < RVL__ROLE_COUNT; role++)
        st = phrases_read(r, map, keys[role], RVL__CUE_COUNT + k * RVL__ROLE_COUNT + role, &n[role], err);
    if (!st)
        st = none_of_read(r, k, rvl_yaml_get(map, "none_of"), &n_others, err);
    if (!st && n_others + n[RVL__ROLE_MENTION] + n[RVL__ROLE_HINT] + n[RVL__ROLE_DENIED] == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: finding '%s' has no mentions", map->file, map->line, name);
    r->file->has_needs[k] = n[RVL__ROLE_NEEDS] > 0;
    return st ? st : probability_read(r->file->probability[k], rvl_yaml_get(map, "probability"), err);
}

static rvl_status findings_read(reader *r, const rvl_yaml *root, const double *defaults, rvl_error *err)
{
    const rvl_yaml *seq = rvl_yaml_get(root, "findings");
    const int       n = rvl_schema_count(r->schema);
    bool           *seen = NULL;
    rvl_status      st = RVL_OK;

    if (!seq)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'findings' is missing", root->file, root->line);
    st = need_kind(seq, RVL_YAML_SEQ, "'findings'", err);
    if (st)
        return st;
    seen = rvl_alloc_array((size_t)n + 1, sizeof *seen);
    if (!seen)
        return no_memory(err);
    for (int k = 0; k < n; k++)
        memcpy(r->file->probability[k], defaults, sizeof outcome_defaults);
    for (size_t i = 0; !st && i < seq->n_items; i++)
        st = finding_read(r, seq->items[i], seen, err);
    for (int k = 0; !st && k < n; k++)
        if (!seen[k])
            st = rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: no rules for finding '%s' of schema '%s'", seq->file, seq->line,
                          rvl_schema_at(r->schema, k)->name, rvl_schema_name(r->schema));
    rvl_free(seen);
    return st;
}

static const rvl_embedded *builtin_find(const char *name)
{
    for (const rvl_embedded *e = rvl_embedded_files; e->name; e++)
        if (rvl_str_starts(e->name, folder) && strcmp(e->name + sizeof folder - 1, name) == 0)
            return e;
    return NULL;
}

/* The parts that an included file may have: lists, cues, sections. */
static rvl_status common_read(reader *r, const rvl_yaml *root, rvl_error *err)
{
    rvl_status st = lists_read(r, rvl_yaml_get(root, "lists"), err);

    if (!st)
        st = cues_read(r, rvl_yaml_get(root, "cues"), err);
    return st ? st : sections_read(r, rvl_yaml_get(root, "sections"), err);
}

static rvl_status include_read(rvl_yaml_doc **doc, reader *r, const rvl_yaml *root, rvl_error *err)
{
    static const char *const keys[] = {"name", "title", "version", "lists", "cues", "sections", NULL};
    const char              *name = NULL;
    rvl_status               st = rvl_yaml_read_string(&name, root, "include", err);

    if (st || !name)
        return st;
    const rvl_embedded *e = builtin_find(name);
    if (!e)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: there are no built-in rules '%s' to include", root->file,
                        root->line, name);
    rvl_hasher_add(r->hasher, e->text, e->n_bytes);
    st = rvl_yaml_parse(doc, e->text, e->n_bytes, e->name, err);
    if (!st)
        st = rvl_yaml_check_keys(rvl_yaml_root(*doc), keys, err);
    return st ? st : common_read(r, rvl_yaml_root(*doc), err);
}

static rvl_status root_read(reader *r, const rvl_yaml *root, rvl_error *err)
{
    static const char *const keys[] = {"name", "title",    "version",     "include",  "lists",
                                       "cues", "sections", "probability", "findings", NULL};
    rvl_yaml_doc            *included = NULL;
    double                   defaults[RVL_RULES_OUTCOMES];
    const char              *name = "";
    const char              *version = "";
    char                     hash[33];
    rvl_status               st = need_kind(root, RVL_YAML_MAP, "the rules", err);

    memcpy(defaults, outcome_defaults, sizeof defaults);
    if (!st)
        st = rvl_yaml_check_keys(root, keys, err);
    if (!st)
        st = rvl_yaml_read_string(&name, root, "name", err);
    if (!st)
        st = rvl_yaml_read_string(&version, root, "version", err);
    if (!st)
        st = include_read(&included, r, root, err);
    if (!st)
        st = common_read(r, root, err);
    if (!st)
        st = probability_read(defaults, rvl_yaml_get(root, "probability"), err);
    if (!st)
        st = findings_read(r, root, defaults, err);
    if (!st) {
        rvl_str text = {0};
        rvl_hasher_hex(r->hasher, hash);
        rvl_str_addf(&text, "%.40s/%.16s+%.8s", *name ? name : "rules", *version ? version : "0", hash);
        if (text.failed)
            st = no_memory(err);
        else
            memcpy(r->file->version, text.ptr, text.n_bytes + 1);
        rvl_str_free(&text);
    }
    rvl_yaml_free(included);
    return st;
}

rvl_status rvl__rules_file_parse(rvl__rules_file *out, const char *yaml, size_t n_bytes, const char *name,
                                 const rvl_schema *schema, rvl_error *err)
{
    const size_t  k = (size_t)rvl_schema_count(schema);
    reader        r = {.file = out, .schema = schema, .hasher = rvl_hasher_new()};
    rvl_yaml_doc *doc = NULL;
    rvl_status    st = RVL_OK;

    *out = (rvl__rules_file){.terms = rvl__terms_new()};
    out->probability = rvl_alloc_array(k + 1, sizeof *out->probability);
    out->has_needs = rvl_alloc_array(k + 1, sizeof *out->has_needs);
    out->none_of = rvl_alloc_array(k * k + 1, sizeof *out->none_of);
    out->is_read[RVL_SECTION_FINDINGS] = out->is_read[RVL_SECTION_IMPRESSION] = out->is_read[RVL_SECTION_OTHER] = true;
    if (!out->terms || !out->probability || !out->has_needs || !out->none_of || !r.hasher)
        st = no_memory(err);
    if (!st) {
        rvl_hasher_add(r.hasher, yaml, n_bytes);
        st = rvl_yaml_parse(&doc, yaml, n_bytes, name, err);
    }
    if (!st)
        st = root_read(&r, rvl_yaml_root(doc), err);
    if (!st)
        st = rvl__terms_finish(out->terms, err);
    rvl_yaml_free(doc);
    rvl_hasher_free(r.hasher);
    if (st)
        rvl__rules_file_fini(out);
    return st;
}

void rvl__rules_file_fini(rvl__rules_file *f)
{
    rvl__terms_free(f->terms);
    rvl_free(f->probability);
    rvl_free(f->has_needs);
    rvl_free(f->none_of);
    *f = (rvl__rules_file){0};
}

rvl_status rvl_rules_open(rvl_labeller **out, const char *name_or_path, const rvl_schema *schema, rvl_error *err)
{
    const char *name = name_or_path ? name_or_path : rvl_schema_name(schema);
    char       *text = NULL;
    size_t      n_bytes = 0;
    rvl_status  st = RVL_OK;

    *out = NULL;
    if (!strchr(name, '/') && !rvl_str_ends(name, ".yaml")) {
        const rvl_embedded *e = builtin_find(name);
        if (!e)
            return rvl_fail(err, RVL_ERR_NOT_FOUND,
                            "there are no built-in rules '%.80s'\nhint: a rule file of your own needs a '/' or '.yaml' "
                            "in its name: --rules=FILE",
                            name);
        return rvl_rules_parse(out, e->text, e->n_bytes, e->name, schema, err);
    }
    st = rvl_file_read(&text, &n_bytes, name, RULES_BYTES_MAX, err);
    if (!st)
        st = rvl_rules_parse(out, text, n_bytes, name, schema, err);
    rvl_free(text);
    return st;
}
