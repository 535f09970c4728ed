/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file findings/schema.c
 * Finding schemas from YAML: strict keys, unambiguous names, prompts filled from templates.
 */
#include "findings/schema.h"
#include "base/alloc.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/str.h"
#include "base/yaml.h"
#include <string.h>

#define FINDINGS_MAX 256
#define TEXTS_MAX 64 /* synonyms or prompts of one finding */
#define SCHEMA_BYTES_MAX ((size_t)1 << 20)

struct rvl_schema {
    rvl_arena   *arena;
    const char  *yaml;
    const char  *name;
    rvl_finding *findings;
    int          n_findings;
};

typedef struct {
    size_t             n;
    const char *const *items;
} texts;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot read finding schema: out of memory");
}

/* Equal but for case and for '_', '-' and ' ' being one: "Pleural_Effusion" is "pleural effusion". */
static bool label_equal(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a == '_' || *a == '-' ? ' ' : *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
        char y = *b == '_' || *b == '-' ? ' ' : *b >= 'A' && *b <= 'Z' ? (char)(*b - 'A' + 'a') : *b;
        if (x != y)
            return false;
        if (x == '\0')
            return true;
    }
}

static bool is_blank_text(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* The list under `key` as scalars, non-empty but where `may_be_empty`; an absent key gives none. */
static rvl_status texts_read_any(texts *out, rvl_schema *s, const rvl_yaml *map, const char *key, bool may_be_empty,
                                 rvl_error *err)
{
    const rvl_yaml *list = rvl_yaml_get(map, key);
    const char    **items = NULL;

    *out = (texts){0};
    if (!list)
        return RVL_OK;
    if (list->kind != RVL_YAML_SEQ)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: '%s' must be a list of texts", list->file, list->line, key);
    if (list->n_items > TEXTS_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "%s:%d: '%s' has %zu texts, the limit is %d", list->file, list->line, key,
                        list->n_items, TEXTS_MAX);
    items = rvl_arena_alloc(s->arena, (list->n_items + 1) * sizeof *items);
    if (!items)
        return no_memory(err);
    for (size_t i = 0; i < list->n_items; i++) {
        const rvl_yaml *item = list->items[i];
        if (item->kind != RVL_YAML_SCALAR || (is_blank_text(item->text) && !may_be_empty))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: text %zu of '%s' is empty or no text", item->file, item->line,
                            i + 1, key);
        items[i] = rvl_arena_strndup(s->arena, item->text, strlen(item->text));
        if (!items[i])
            return no_memory(err);
    }
    *out = (texts){.n = list->n_items, .items = items};
    return RVL_OK;
}

static rvl_status texts_read(texts *out, rvl_schema *s, const rvl_yaml *map, const char *key, rvl_error *err)
{
    return texts_read_any(out, s, map, key, false, err);
}

/* `from` with the title for every "{}"; the first letter of a filled prompt stays as the template has it. */
static const char *prompt_fill(rvl_schema *s, const char *from, const char *title)
{
    rvl_str     filled = {0};
    const char *out = NULL;

    for (; *from; from++) {
        if (from[0] == '{' && from[1] == '}') {
            rvl_str_add(&filled, title);
            from++;
        } else {
            rvl_str_add_n(&filled, from, 1);
        }
    }
    if (!filled.failed)
        out = rvl_arena_strndup(s->arena, filled.ptr ? filled.ptr : "", filled.n_bytes);
    rvl_str_free(&filled);
    return out;
}

static rvl_status prompts_fill(texts *out, rvl_schema *s, const texts *own, const texts *templates, const char *title,
                               const rvl_yaml *at, const char *key, rvl_error *err)
{
    const texts *from = own->n > 0 ? own : templates;
    const char **items = rvl_arena_alloc(s->arena, (from->n + 1) * sizeof *items);

    if (!items)
        return no_memory(err);
    if (from->n == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: finding has no '%s' prompts and the schema has no templates",
                        at->file, at->line, key);
    for (size_t i = 0; i < from->n; i++) {
        items[i] = prompt_fill(s, from->items[i], title);
        if (!items[i])
            return no_memory(err);
    }
    *out = (texts){.n = from->n, .items = items};
    return RVL_OK;
}

static rvl_status name_check(const char *name, const rvl_yaml *at, rvl_error *err)
{
    if (*name == '\0' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: finding name '%.80s' is not made of a-z, 0-9 and '_'", at->file,
                        at->line, name);
    return RVL_OK;
}

static rvl_status finding_read(rvl_finding *out, rvl_schema *s, const rvl_yaml *map, const texts templates[2],
                               rvl_error *err)
{
    static const char *const keys[] = {"name", "title", "synonyms", "positive", "negative", NULL};
    const char              *name = "";
    const char              *title = NULL;
    texts                    lists[3] = {{0}};
    texts                    prompts[2] = {{0}};
    rvl_status               st = RVL_OK;

    if (map->kind != RVL_YAML_MAP)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: a finding must be a map with a name", map->file, map->line);
    st = rvl_yaml_check_keys(map, keys, err);
    if (!st)
        st = rvl_yaml_read_string(&name, map, "name", err);
    if (!st)
        st = name_check(name, map, err);
    if (!st)
        st = rvl_yaml_read_string(&title, map, "title", err);
    if (!st && title && is_blank_text(title))
        st = rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: title of finding '%.80s' is empty", map->file, map->line, name);
    for (int i = 0; i < 3 && !st; i++)
        st = texts_read(&lists[i], s, map, keys[2 + i], err);
    if (st)
        return st;
    out->name = rvl_arena_strndup(s->arena, name, strlen(name));
    char *own_title = rvl_arena_strndup(s->arena, title ? title : name, strlen(title ? title : name));
    if (!out->name || !own_title)
        return no_memory(err);
    for (char *c = own_title; !title && *c; c++)
        *c = *c == '_' ? ' ' : *c;
    out->title = own_title;
    for (int i = 0; i < 2 && !st; i++)
        st = prompts_fill(&prompts[i], s, &lists[1 + i], &templates[i], out->title, map, keys[3 + i], err);
    out->n_synonyms = lists[0].n;
    out->synonyms = lists[0].items;
    out->n_positive = prompts[0].n;
    out->positive = prompts[0].items;
    out->n_negative = prompts[1].n;
    out->negative = prompts[1].items;
    return st;
}

static bool finding_answers(const rvl_finding *f, const char *label)
{
    bool is_it = label_equal(f->name, label) || label_equal(f->title, label);

    for (size_t i = 0; i < f->n_synonyms && !is_it; i++)
        is_it = label_equal(f->synonyms[i], label);
    return is_it;
}

/* No name, title or synonym of the finding may also mean an earlier one. */
static rvl_status finding_check_unique(const rvl_schema *s, const rvl_finding *f, const rvl_yaml *at, rvl_error *err)
{
    for (int i = 0; i < s->n_findings; i++) {
        const rvl_finding *other = &s->findings[i];
        const char        *twice = NULL;
        if (finding_answers(other, f->name))
            twice = f->name;
        else if (finding_answers(other, f->title))
            twice = f->title;
        for (size_t k = 0; k < f->n_synonyms && !twice; k++)
            if (finding_answers(other, f->synonyms[k]))
                twice = f->synonyms[k];
        if (twice)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: '%.80s' is already a name of finding '%.80s'", at->file,
                            at->line, twice, other->name);
    }
    return RVL_OK;
}

static rvl_status templates_read(texts out[2], rvl_schema *s, const rvl_yaml *root, rvl_error *err)
{
    static const char *const keys[] = {"positive", "negative", NULL};
    const rvl_yaml          *map = rvl_yaml_get(root, "templates");
    rvl_status               st = RVL_OK;

    out[0] = out[1] = (texts){0};
    if (!map)
        return RVL_OK;
    if (map->kind != RVL_YAML_MAP)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'templates' must hold 'positive' and 'negative'", map->file,
                        map->line);
    st = rvl_yaml_check_keys(map, keys, err);
    for (int i = 0; i < 2 && !st; i++) {
        st = texts_read(&out[i], s, map, keys[i], err);
        for (size_t k = 0; k < out[i].n && !st; k++)
            if (!strstr(out[i].items[k], "{}"))
                st = rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: template '%.120s' has no {} for the finding", map->file,
                              rvl_yaml_get(map, keys[i])->items[k]->line, out[i].items[k]);
    }
    return st;
}

static rvl_status head_read(rvl_schema *s, const rvl_yaml *root, rvl_error *err)
{
    static const char *const keys[] = {"name", "title", "source", "templates", "findings", NULL};
    const char              *name = "";
    const char              *ignored = NULL;
    rvl_status               st = RVL_OK;

    if (root->kind != RVL_YAML_MAP)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: a finding schema must be a map", root->file, root->line);
    st = rvl_yaml_check_keys(root, keys, err);
    if (!st)
        st = rvl_yaml_read_string(&name, root, "name", err);
    if (!st)
        st = rvl_yaml_read_string(&ignored, root, "title", err);
    if (!st)
        st = rvl_yaml_read_string(&ignored, root, "source", err);
    if (st)
        return st;
    if (is_blank_text(name))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: the finding schema has no name", root->file, root->line);
    s->name = rvl_arena_strndup(s->arena, name, strlen(name));
    return s->name ? RVL_OK : no_memory(err);
}

static rvl_status schema_read(rvl_schema *s, const rvl_yaml *root, rvl_error *err)
{
    texts           templates[2];
    const rvl_yaml *list = NULL;
    rvl_status      st = head_read(s, root, err);

    if (!st)
        st = templates_read(templates, s, root, err);
    if (st)
        return st;
    list = rvl_yaml_get(root, "findings");
    if (!list || list->kind != RVL_YAML_SEQ || list->n_items == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'findings' must be a list of at least one finding", root->file,
                        list ? list->line : root->line);
    if (list->n_items > FINDINGS_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "%s:%d: %zu findings, the limit is %d", list->file, list->line,
                        list->n_items, FINDINGS_MAX);
    s->findings = rvl_arena_alloc(s->arena, list->n_items * sizeof *s->findings);
    if (!s->findings)
        return no_memory(err);
    for (size_t i = 0; i < list->n_items && !st; i++) {
        st = finding_read(&s->findings[i], s, list->items[i], templates, err);
        if (!st)
            st = finding_check_unique(s, &s->findings[i], list->items[i], err);
        s->n_findings++;
    }
    return st;
}

rvl_status rvl_schema_parse(rvl_schema **out, const char *yaml, size_t n_bytes, const char *name, rvl_error *err)
{
    rvl_yaml_doc *doc = NULL;
    rvl_schema   *s = NULL;
    rvl_status    st = RVL_OK;

    *out = NULL;
    st = rvl_yaml_parse(&doc, yaml, n_bytes, name, err);
    if (st)
        goto done;
    s = rvl_alloc_array(1, sizeof *s);
    if (s)
        s->arena = rvl_arena_new();
    if (s && s->arena)
        s->yaml = rvl_arena_strndup(s->arena, yaml, n_bytes);
    if (!s || !s->arena || !s->yaml) {
        st = no_memory(err);
        goto done;
    }
    st = schema_read(s, rvl_yaml_root(doc), err);
    if (st)
        goto done;
    *out = s;
    s = NULL;
done:
    rvl_schema_free(s);
    rvl_yaml_free(doc);
    return st;
}

/* The compiled-in prompt set; NULL, and the names in the message, if there is none. */
static const rvl_embedded *prompt_set_find(const char *name, rvl_error *err)
{
    static const char folder[] = "sentences/";
    rvl_str           names = {0};

    for (const rvl_embedded *e = rvl_embedded_files; e->name; e++) {
        if (!rvl_str_starts(e->name, folder))
            continue;
        if (strcmp(e->name + sizeof folder - 1, name) == 0) {
            rvl_str_free(&names);
            return e;
        }
        rvl_str_addf(&names, "%s%s", names.n_bytes ? ", " : "", e->name + sizeof folder - 1);
    }
    (void)rvl_fail(err, RVL_ERR_NOT_FOUND, "there is no prompt set '%.80s'\nhint: %s", name,
                   names.failed || !names.n_bytes ? "none is built in" : names.ptr);
    rvl_str_free(&names);
    return NULL;
}

/* Fill the set's templates with the titles of `s`, which is ours to change. */
static rvl_status prompts_replace(rvl_schema *s, const rvl_yaml *root, rvl_error *err)
{
    static const char *const keys[] = {"name", "source", "templates", NULL};
    const rvl_yaml          *map = rvl_yaml_get(root, "templates");
    const texts              none = {0};
    texts                    templates[2];
    texts                    filled;
    rvl_status               st = rvl_yaml_check_keys(root, keys, err);

    if (!st && (!map || map->kind != RVL_YAML_MAP))
        st = rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: a prompt set has 'templates'", root->file, root->line);
    if (!st)
        st = texts_read(&templates[0], s, map, "positive", err);
    if (!st)
        st = texts_read_any(&templates[1], s, map, "negative", true, err);
    for (int i = 0; !st && i < s->n_findings; i++) {
        rvl_finding *f = &s->findings[i];

        st = prompts_fill(&filled, s, &none, &templates[0], f->title, map, "positive", err);
        if (st)
            break;
        f->n_positive = filled.n;
        f->positive = filled.items;
        st = prompts_fill(&filled, s, &none, &templates[1], f->title, map, "negative", err);
        f->n_negative = st ? 0 : filled.n;
        f->negative = filled.items;
    }
    return st;
}

rvl_status rvl_schema_with_prompts(rvl_schema **out, const rvl_schema *s, const char *set, rvl_error *err)
{
    const rvl_embedded *e = prompt_set_find(set, err);
    rvl_yaml_doc       *doc = NULL;
    rvl_schema         *own = NULL;
    rvl_status          st;

    *out = NULL;
    if (!e)
        return RVL_ERR_NOT_FOUND;
    st = rvl_schema_parse(&own, s->yaml, strlen(s->yaml), s->name, err);
    if (!st)
        st = rvl_yaml_parse(&doc, e->text, e->n_bytes, e->name, err);
    if (!st)
        st = prompts_replace(own, rvl_yaml_root(doc), err);
    rvl_yaml_free(doc);
    if (st) {
        rvl_schema_free(own);
        return st;
    }
    *out = own;
    return RVL_OK;
}

static rvl_status builtin_open(rvl_schema **out, const char *name, rvl_error *err)
{
    static const char folder[] = "schemas/";
    const char       *nearest = NULL;

    for (const rvl_embedded *e = rvl_embedded_files; e->name; e++) {
        if (!rvl_str_starts(e->name, folder))
            continue;
        const char *own = e->name + sizeof folder - 1;
        if (strcmp(own, name) == 0)
            return rvl_schema_parse(out, e->text, e->n_bytes, e->name, err);
        if (!nearest || rvl_str_distance(name, own) < rvl_str_distance(name, nearest))
            nearest = own;
    }
    return rvl_fail(err, RVL_ERR_NOT_FOUND,
                    "cannot open finding schema '%.80s': no built-in schema has this name\nhint: did you mean '%s'? A "
                    "file needs a '/' or '.yaml' in its name",
                    name, nearest ? nearest : "");
}

rvl_status rvl_schema_open(rvl_schema **out, const char *name_or_path, rvl_error *err)
{
    char      *text = NULL;
    size_t     n_bytes = 0;
    rvl_status st = RVL_OK;

    *out = NULL;
    if (!strchr(name_or_path, '/') && !rvl_str_ends(name_or_path, ".yaml"))
        return builtin_open(out, name_or_path, err);
    st = rvl_file_read(&text, &n_bytes, name_or_path, SCHEMA_BYTES_MAX, err);
    if (!st)
        st = rvl_schema_parse(out, text, n_bytes, name_or_path, err);
    rvl_free(text);
    return st;
}

const char *rvl_schema_yaml(const rvl_schema *s)
{
    return s->yaml;
}

const char *rvl_schema_name(const rvl_schema *s)
{
    return s->name;
}

int rvl_schema_count(const rvl_schema *s)
{
    return s->n_findings;
}

const rvl_finding *rvl_schema_at(const rvl_schema *s, int i)
{
    return i >= 0 && i < s->n_findings ? &s->findings[i] : NULL;
}

int rvl_schema_index(const rvl_schema *s, const char *finding)
{
    for (int i = 0; i < s->n_findings; i++)
        if (finding_answers(&s->findings[i], finding))
            return i;
    return -1;
}

void rvl_schema_free(rvl_schema *s)
{
    if (!s)
        return;
    rvl_arena_free(s->arena);
    rvl_free(s);
}
