/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/parse.c
 * Command line to option values: GNU long options, one-letter shorts, --no-x, "--", nearest-match hints.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "rvl/plan.h"
#include "cli/cli.h"
#include <omp.h>
#include <stdio.h>
#include <string.h>

#define MAX_OPTS 96

typedef struct {
    rvl_cli  *cli;
    cli_opt   all[MAX_OPTS];
    bool      given[MAX_OPTS];
    int       n;
    bool      help, full_help;
    rvl_error err;
} parser;

static int count_opts(const cli_opt *opts)
{
    int n = 0;
    while (opts[n].kind != CLI_OPT_END)
        n++;
    return n;
}

/* The common options of this verb, as rows behind its own. */
static int add_common(cli_opt *all, int n, rvl_cli *cli)
{
    const struct {
        unsigned need;
        cli_opt  opt;
    } rows[] = {
        {0, OPT_GROUP("common")},
        {CLI_MODEL, OPT_STR("model", 'm', &cli->model, "MODEL", "run folder, checkpoint or bundle")},
        {CLI_OUTPUT, OPT_STR("output", 'o', &cli->output, "PATH", "where to write")},
        {CLI_JSON, OPT_FLAG("json", 0, &cli->json, "print one JSON document")},
        {CLI_TSV, OPT_FLAG("tsv", 0, &cli->tsv, "print tab-separated values")},
        {CLI_SEED, OPT_INT("seed", 0, &cli->seed, "seed of every random number [0]")},
        {CLI_LIMIT, OPT_INT("limit", 0, &cli->limit, "only the first N cases [all]")},
        {CLI_DRY_RUN, OPT_FLAG("dry-run", 0, &cli->dry_run, "check and print the plan, write nothing")},
        {CLI_FORCE, OPT_FLAG("force", 'f', &cli->force, "overwrite, or go on where a check would refuse")},
        {CLI_DEVICE, OPT_STR("device", 0, &cli->device, "D", "auto, cpu or ref [auto]")},
        {CLI_PROGRESS, OPT_STR("progress", 0, &cli->progress, "MODE", "auto, bar, plain, json or none [auto]")},
        {0, OPT_INT("threads", 'j', &cli->threads, "compute threads [all processors]")},
        {CLI_PRESET, OPT_STR("preset", 0, &cli->preset, "NAME", "recipe that comes with rvl: rvl help presets")},
        {0, OPT_STR("config", 0, &cli->config, "FILE", "YAML with values for the options above")},
        {0, OPT_LIST("set", &cli->set, "KEY=VALUE", "one value, as in a configuration file")},
        {0, OPT_FLAG("quiet", 'q', &cli->quiet, "errors only")},
        {0, OPT_FLAG("verbose", 'v', &cli->verbose, "say more")},
        {0, OPT_STR("log-level", 0, &cli->log_level, "LEVEL", "error, warn, info or debug [info]")},
        {0, OPT_FLAG("log-json", 0, &cli->log_json, "log lines as JSON")},
    };
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++)
        if (rows[i].need == 0 || (cli->common & rows[i].need))
            all[n++] = rows[i].opt;
    return n;
}

static bool is_named(const cli_opt *o)
{
    return o->kind != CLI_OPT_ARG && o->kind != CLI_OPT_ARGS && o->kind != CLI_OPT_GROUP && o->kind != CLI_OPT_END;
}

static int find_long(const parser *p, const char *name, size_t n_bytes)
{
    for (int i = 0; i < p->n; i++)
        if (is_named(&p->all[i]) && strlen(p->all[i].name) == n_bytes && memcmp(p->all[i].name, name, n_bytes) == 0)
            return i;
    return -1;
}

static int find_short(const parser *p, char c)
{
    for (int i = 0; i < p->n; i++)
        if (is_named(&p->all[i]) && p->all[i].short_name == c)
            return i;
    return -1;
}

static const char *nearest_option(const parser *p, const char *name)
{
    const char *best = NULL;
    int         best_distance = 4;
    for (int i = 0; i < p->n; i++) {
        if (!is_named(&p->all[i]))
            continue;
        int d = rvl_str_distance(p->all[i].name, name);
        if (d < best_distance) {
            best_distance = d;
            best = p->all[i].name;
        }
    }
    return best;
}

static bool add_to_list(cli_list *list, const cli_opt *opt, const char *text, rvl_error *err)
{
    if (list->n_items == (int)RVL_ARRAY_LEN(list->items)) {
        rvl_fail(err, RVL_ERR_USAGE, "'%s' was given more than %d times", opt->name, list->n_items);
        return false;
    }
    list->items[list->n_items++] = text;
    return true;
}

bool cli_opt_set(rvl_cli *cli, const cli_opt *opt, const char *text, const char *origin, rvl_error *err)
{
    bool        ok = true;
    const char *wanted = "";

    switch (opt->kind) {
    case CLI_OPT_INT:
        ok = rvl_parse_i64(text, opt->value);
        wanted = "a whole number";
        break;
    case CLI_OPT_REAL:
        ok = rvl_parse_f64(text, opt->value);
        wanted = "a number";
        break;
    case CLI_OPT_FLAG:
        ok = rvl_parse_bool(text, opt->value);
        wanted = "yes or no";
        break;
    case CLI_OPT_LIST:
    case CLI_OPT_ARGS:
        if (!add_to_list(opt->value, opt, text, err))
            return false;
        break;
    default:
        *(const char **)opt->value = text;
    }
    if (!ok) {
        rvl_fail(err, RVL_ERR_USAGE, "--%s wants %s, not '%s'", opt->name, wanted, text);
        return false;
    }
    rvl_json_set(cli->origins, opt->name, json_string(origin));
    return true;
}

static bool unknown_long(parser *p, const char *name, size_t n_bytes)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(n_bytes < 60 ? n_bytes : 60), name);
    const char *near = nearest_option(p, word);
    rvl_fail(&p->err, RVL_ERR_USAGE, "unknown option '--%s' for 'rvl %s'%s%s%s", word, p->cli->command->name,
             near ? "\nhint: did you mean '--" : "", near ? near : "", near ? "'?" : "");
    return false;
}

static bool take_long(parser *p, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t      n_bytes = equals ? (size_t)(equals - name) : strlen(name);
    const char *value = equals ? equals + 1 : NULL;
    bool        off = false;
    int         k = find_long(p, name, n_bytes);

    if (k < 0 && rvl_str_starts(name, "no-") && !value) {
        k = find_long(p, name + 3, n_bytes - 3);
        off = k >= 0 && p->all[k].kind == CLI_OPT_FLAG;
        if (!off)
            k = -1;
    }
    if (k < 0)
        return unknown_long(p, name, n_bytes);
    p->given[k] = true;
    if (p->all[k].kind == CLI_OPT_FLAG)
        value = value ? value : off ? "no" : "yes";
    else if (p->all[k].kind == CLI_OPT_MAYBE)
        value = value ? value : "";
    else if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (!value) {
        rvl_fail(&p->err, RVL_ERR_USAGE, "--%s wants a value (%s)", p->all[k].name, p->all[k].metavar);
        return false;
    }
    return cli_opt_set(p->cli, &p->all[k], value, "flag", &p->err);
}

static bool take_short(parser *p, int argc, char **argv, int *i)
{
    for (const char *c = argv[*i] + 1; *c; c++) {
        if (*c == 'h') {
            p->help = true;
            continue;
        }
        int k = find_short(p, *c);
        if (k < 0) {
            rvl_fail(&p->err, RVL_ERR_USAGE, "unknown option '-%c' for 'rvl %s'", *c, p->cli->command->name);
            return false;
        }
        p->given[k] = true;
        if (p->all[k].kind == CLI_OPT_FLAG) {
            if (!cli_opt_set(p->cli, &p->all[k], "yes", "flag", &p->err))
                return false;
            continue;
        }
        const char *value = c[1] ? c + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        if (value)
            return cli_opt_set(p->cli, &p->all[k], value, "flag", &p->err);
        rvl_fail(&p->err, RVL_ERR_USAGE, "-%c wants a value (%s)", *c, p->all[k].metavar);
        return false;
    }
    return true;
}

static bool take_positional(parser *p, const char *text)
{
    for (int k = 0; k < p->n; k++) {
        if (p->all[k].kind == CLI_OPT_ARGS || (p->all[k].kind == CLI_OPT_ARG && !p->given[k])) {
            p->given[k] = true;
            return cli_opt_set(p->cli, &p->all[k], text, "argument", &p->err);
        }
    }
    rvl_fail(&p->err, RVL_ERR_USAGE, "'rvl %s' does not take another argument: '%s'", p->cli->command->name, text);
    return false;
}

static bool parse_words(parser *p, int argc, char **argv)
{
    bool only_positional = false;
    for (int i = 0; i < argc; i++) {
        const char *w = argv[i];
        if (only_positional || w[0] != '-' || w[1] == '\0') {
            if (!take_positional(p, w))
                return false;
        } else if (strcmp(w, "--") == 0) {
            only_positional = true;
        } else if (strcmp(w, "--help") == 0) {
            p->help = p->full_help = true;
        } else if (w[1] == '-' ? !take_long(p, argc, argv, &i) : !take_short(p, argc, argv, &i)) {
            return false;
        }
    }
    return true;
}

/* Index of `word` in a list of n, or an error that shows the list. */
static int one_of(const char *word, const char *const *list, int n, const char *option, rvl_error *err)
{
    for (int i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    rvl_str all = {0};
    for (int i = 0; i < n; i++)
        rvl_str_addf(&all, "%s%s", i ? ", " : "", list[i]);
    rvl_fail(err, RVL_ERR_USAGE, "--%s is one of %s, not '%s'", option, all.ptr ? all.ptr : "", word);
    rvl_str_free(&all);
    return -1;
}

bool cli_excludes(rvl_cli *cli, bool active, const char *option, const char *const *others)
{
    for (; active && *others; others++) {
        const char *origin = json_string_value(json_object_get(cli->origins, *others));
        if (origin && strcmp(origin, "flag") == 0) {
            cli_usage(cli, "--%s has no effect with %s", *others, option);
            return true;
        }
    }
    return false;
}

static void apply_common(const rvl_cli *cli, rvl_error *err)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    static const char *const modes[] = {"auto", "bar", "plain", "json", "none"};
    static const char *const devices[] = {"auto", "cpu", "ref"};
    int                      i;

    rvl_log_set_json(cli->log_json);
    rvl_log_set_level(cli->quiet ? RVL_LOG_ERROR : cli->verbose ? RVL_LOG_DEBUG : RVL_LOG_INFO);
    rvl_progress_set_mode(cli->quiet ? RVL_PROGRESS_NONE : RVL_PROGRESS_AUTO);
    if (cli->log_level && (i = one_of(cli->log_level, levels, 4, "log-level", err)) >= 0)
        rvl_log_set_level((rvl_log_level)i);
    if (cli->progress && (i = one_of(cli->progress, modes, 5, "progress", err)) >= 0)
        rvl_progress_set_mode((rvl_progress_mode)i);
    if (cli->device && (i = one_of(cli->device, devices, 3, "device", err)) >= 0)
        rvl_backend_set_default((rvl_backend)i);
    if (cli->threads < 0 || cli->limit < 0)
        rvl_fail(err, RVL_ERR_USAGE, "--threads and --limit are not negative");
    else if (cli->threads > 0)
        omp_set_num_threads(cli->threads < 1024 ? (int)cli->threads : 1024);
}

bool cli_parse(rvl_cli *cli, unsigned common, const cli_opt *opts, int argc, char **argv)
{
    static parser p; /* large; one verb runs in a process */

    memset(&p, 0, sizeof p);
    p.cli = cli;
    cli->common = common;
    p.n = count_opts(opts);
    memcpy(p.all, opts, (size_t)p.n * sizeof *opts);
    p.n = add_common(p.all, p.n, cli);
    p.all[p.n].kind = CLI_OPT_END;

    bool ok = parse_words(&p, argc, argv);
    if (p.help) {
        cli_help_verb(cli, p.all, p.full_help);
        cli->exit_code = 0;
        return false;
    }
    ok = ok && cli_config_apply(cli, p.all, p.given, &p.err);
    for (int k = 0; ok && k < p.n; k++)
        if (p.all[k].kind == CLI_OPT_ARG && p.all[k].required && !p.given[k]) {
            rvl_fail(&p.err, RVL_ERR_USAGE, "'rvl %s' wants %s: %s\nhint: rvl %s -h", cli->command->name, p.all[k].name,
                     p.all[k].help, cli->command->name);
            ok = false;
        }
    if (ok)
        apply_common(cli, &p.err);
    if (ok && !p.err.code &&
        (cli_excludes(cli, cli->json, "--json", (const char *const[]){"tsv", NULL}) ||
         cli_excludes(cli, cli->quiet, "--quiet", (const char *const[]){"verbose", NULL}) ||
         cli_excludes(cli, cli->log_level != NULL, "--log-level", (const char *const[]){"verbose", "quiet", NULL})))
        return false;
    if (p.err.code) {
        cli->exit_code = cli_fail(cli, &p.err);
        return false;
    }
    return true;
}
