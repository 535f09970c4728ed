/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/config.c
 * Configuration layers below the flags: --set, environment, --config file (with one `extends:`), --preset.
 *
 * A key is `section.name`: the option's heading and its long name with underscores ("training.batch_size"); the
 * option table is the schema, unknown keys are errors. Positional arguments and output switches are no keys.
 */
#include "base/alloc.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values borrow from documents and copies: they live until the program ends, linked here. */
typedef struct kept {
    struct kept  *next;
    rvl_yaml_doc *doc;
    char         *text;
} kept;

typedef struct {
    rvl_cli       *cli;
    const cli_opt *opts;
    bool           given[128];
    rvl_error     *err;
} layers;

static bool keep(rvl_cli *cli, rvl_yaml_doc *doc, char *text)
{
    kept *k = rvl_alloc_array(1, sizeof *k);
    if (!k)
        return false;
    k->doc = doc;
    k->text = text;
    k->next = cli->texts;
    cli->texts = k;
    return true;
}

void cli_config_release(rvl_cli *cli)
{
    for (kept *k = cli->texts; k;) {
        kept *next = k->next;
        rvl_yaml_free(k->doc);
        rvl_free(k->text);
        rvl_free(k);
        k = next;
    }
    cli->texts = NULL;
}

static bool is_key(const cli_opt *o)
{
    static const char *const not_keys[] = {"config", "preset", "json", "tsv", "dry-run", "force", "output", NULL};
    if (o->kind != CLI_OPT_STR && o->kind != CLI_OPT_INT && o->kind != CLI_OPT_REAL && o->kind != CLI_OPT_FLAG)
        return false;
    for (int i = 0; not_keys[i]; i++)
        if (strcmp(o->name, not_keys[i]) == 0)
            return false;
    return true;
}

static void key_of(char *out, size_t n_bytes, const char *name)
{
    snprintf(out, n_bytes, "%s", name);
    for (char *c = out; *c; c++)
        if (*c == '-')
            *c = '_';
}

/* Index of the option with this section and key; -1 if there is none. */
static int find_key(const cli_opt *opts, const char *section, const char *key)
{
    const char *here = "";
    char        name[64];
    for (int i = 0; opts[i].kind != CLI_OPT_END; i++) {
        if (opts[i].kind == CLI_OPT_GROUP)
            here = opts[i].name;
        if (!is_key(&opts[i]) || strcmp(here, section) != 0)
            continue;
        key_of(name, sizeof name, opts[i].name);
        if (strcmp(name, key) == 0)
            return i;
    }
    return -1;
}

static bool apply_one(layers *l, const char *section, const char *key, const char *value, const char *origin)
{
    const char *verb = l->cli->command->name;
    int         k = find_key(l->opts, section, key);
    if (k < 0) {
        rvl_fail(l->err, RVL_ERR_USAGE, "%s: 'rvl %s' has no key '%s.%s'\nhint: rvl %s --help lists them", origin, verb,
                 section, key, verb);
        return false;
    }
    if (l->given[k])
        return true;
    if (cli_opt_set(l->cli, &l->opts[k], value, origin, l->err))
        return true;
    rvl_error_prefix(l->err, "%s", origin);
    return false;
}

static bool apply_section(layers *l, const char *name, const rvl_yaml *section)
{
    char origin[512];
    if (section->kind != RVL_YAML_MAP) {
        rvl_fail(l->err, RVL_ERR_USAGE, "%s:%d: '%s' must be a section with keys under it", section->file,
                 section->line, name);
        return false;
    }
    for (size_t j = 0; j < section->n_items; j++) {
        const rvl_yaml *v = section->items[j];
        snprintf(origin, sizeof origin, "%s:%d", v->file, v->line);
        if (v->kind != RVL_YAML_SCALAR) {
            rvl_fail(l->err, RVL_ERR_USAGE, "%s: '%s.%s' must be a single value", origin, name, section->keys[j]);
            return false;
        }
        if (!apply_one(l, name, section->keys[j], v->text, origin))
            return false;
    }
    return true;
}

static bool apply_file(layers *l, const char *path, int depth);

static bool apply_base(layers *l, const char *path, const char *base, int depth)
{
    if (depth > 0) {
        rvl_fail(l->err, RVL_ERR_USAGE, "%s: a file that is extended may not extend another", path);
        return false;
    }
    char *dir = rvl_path_dir(path);
    char *full = dir ? rvl_path_join(dir, base) : NULL;
    bool  ok = full && apply_file(l, full, depth + 1);
    rvl_free(dir);
    rvl_free(full);
    return ok;
}

/* The sections of a document; it is kept until the program ends. */
static bool apply_document(layers *l, rvl_yaml_doc *doc, const char *path, int depth)
{
    const char *base = NULL;

    if (!keep(l->cli, doc, NULL)) {
        rvl_yaml_free(doc);
        rvl_fail(l->err, RVL_ERR_NOMEM, "out of memory");
        return false;
    }
    const rvl_yaml *root = rvl_yaml_root(doc);
    if (!root)
        return true;
    if (root->kind != RVL_YAML_MAP) {
        rvl_fail(l->err, RVL_ERR_USAGE, "%s: a configuration is a map of sections", path);
        return false;
    }
    if (rvl_yaml_read_string(&base, root, "extends", l->err) || (base && !apply_base(l, path, base, depth)))
        return false;
    for (size_t i = 0; i < root->n_items; i++)
        if (strcmp(root->keys[i], "extends") != 0 && !apply_section(l, root->keys[i], root->items[i]))
            return false;
    return true;
}

static bool apply_file(layers *l, const char *path, int depth)
{
    rvl_yaml_doc *doc = NULL;

    return rvl_yaml_load(&doc, path, l->err) == RVL_OK && apply_document(l, doc, path, depth);
}

/* The recipe `configs/NAME-VERB` that is compiled in. */
static bool apply_preset(layers *l, const char *name)
{
    const char   *verb = l->cli->command->name;
    rvl_yaml_doc *doc = NULL;
    rvl_str       wanted = {0}, names = {0}, end = {0};
    bool          ok = false;

    rvl_str_addf(&wanted, "configs/%s-%s", name, verb);
    rvl_str_addf(&end, "-%s", verb);
    const rvl_embedded *e = rvl_embedded_files;
    for (; !wanted.failed && !end.failed && e->name && strcmp(e->name, wanted.ptr) != 0; e++)
        if (rvl_str_starts(e->name, "configs/") && rvl_str_ends(e->name, end.ptr))
            rvl_str_addf(&names, "%s%.*s", names.n_bytes ? ", " : "", (int)(strlen(e->name) - 8 - end.n_bytes),
                         e->name + 8);
    if (wanted.failed || end.failed || names.failed)
        rvl_fail(l->err, RVL_ERR_NOMEM, "out of memory");
    else if (!e->name)
        rvl_fail(l->err, RVL_ERR_USAGE, "'rvl %s' has no preset '%s'\nhint: %s", verb, name,
                 names.n_bytes ? names.ptr : "it has none");
    else
        ok = rvl_yaml_parse(&doc, e->text, e->n_bytes, e->name, l->err) == RVL_OK && apply_document(l, doc, e->name, 1);
    rvl_str_free(&wanted);
    rvl_str_free(&names);
    rvl_str_free(&end);
    return ok;
}

static bool apply_environment(layers *l)
{
    for (int i = 0; l->opts[i].kind != CLI_OPT_END; i++) {
        char name[80] = "RVL_";
        if (!is_key(&l->opts[i]) || l->given[i])
            continue;
        key_of(name + 4, sizeof name - 4, l->opts[i].name);
        for (char *c = name; *c; c++)
            if (*c >= 'a' && *c <= 'z')
                *c = (char)(*c - 'a' + 'A');
        const char *value = getenv(name);
        if (value && !cli_opt_set(l->cli, &l->opts[i], value, name, l->err)) {
            rvl_error_prefix(l->err, "environment %s", name);
            return false;
        }
    }
    return true;
}

static bool apply_sets(layers *l)
{
    const cli_list *set = &l->cli->set;
    for (int i = 0; i < set->n_items; i++) {
        char *copy = rvl_strdup(set->items[i]);
        if (!copy || !keep(l->cli, NULL, copy)) {
            rvl_fail(l->err, RVL_ERR_NOMEM, "out of memory");
            return false;
        }
        char *equals = strchr(copy, '=');
        char *dot = strchr(copy, '.');
        if (!equals || !dot || dot > equals) {
            rvl_fail(l->err, RVL_ERR_USAGE, "--set wants section.key=value, not '%s'", set->items[i]);
            return false;
        }
        *equals = *dot = '\0';
        if (!apply_one(l, copy, dot + 1, equals + 1, "--set"))
            return false;
    }
    return true;
}

/* What the run was told, for config.yaml of a run folder. */
static void record_resolved(rvl_cli *cli, const cli_opt *opts)
{
    const char *section = "";
    for (int i = 0; opts[i].kind != CLI_OPT_END; i++) {
        const cli_opt *o = &opts[i];
        char           key[64];
        json_t        *value = NULL;
        if (o->kind == CLI_OPT_GROUP)
            section = o->name;
        if (!is_key(o))
            continue;
        if (o->kind == CLI_OPT_INT)
            value = json_integer(*(int64_t *)o->value);
        else if (o->kind == CLI_OPT_REAL)
            value = rvl_json_real(*(double *)o->value);
        else if (o->kind == CLI_OPT_FLAG)
            value = json_boolean(*(bool *)o->value);
        else if (*(const char **)o->value)
            value = json_string(*(const char **)o->value);
        if (!value)
            continue;
        json_t *s = json_object_get(cli->resolved, section);
        if (!s) {
            s = json_object();
            rvl_json_set(cli->resolved, section, s);
        }
        key_of(key, sizeof key, o->name);
        rvl_json_set(s, key, value);
    }
}

bool cli_config_apply(rvl_cli *cli, const cli_opt *opts, const bool *given, rvl_error *err)
{
    layers l = {.cli = cli, .opts = opts, .err = err};
    for (int i = 0; i < (int)RVL_ARRAY_LEN(l.given) && opts[i].kind != CLI_OPT_END; i++)
        l.given[i] = given[i];
    if (cli->preset && !apply_preset(&l, cli->preset))
        return false;
    if (cli->config && !apply_file(&l, cli->config, 0))
        return false;
    if (!apply_environment(&l) || !apply_sets(&l))
        return false;
    record_resolved(cli, opts);
    return true;
}
