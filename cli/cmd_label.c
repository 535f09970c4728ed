/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_label.c
 * rvl label: labels from reports, their audit, corrections.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "cli/cmd.h"
#include "rvl/plan.h"
#include "rvl/verbs.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PARTLY_DONE = 5 }; /* exit code: some reports could not be labelled */

static int print_json(rvl_cli *cli, const rvl_label_result *r)
{
    json_t *root = json_object();

    rvl_json_set(root, "schema", json_string("rvl.label/1"));
    rvl_json_set(root, "source", json_string(r->source));
    rvl_json_set(root, "version", json_string(r->version));
    rvl_json_set(root, "n_reports", json_integer((json_int_t)r->n_reports));
    rvl_json_set(root, "n_texts", json_integer((json_int_t)r->n_texts));
    rvl_json_set(root, "n_empty", json_integer((json_int_t)r->n_empty));
    rvl_json_set(root, "n_failed", json_integer((json_int_t)r->n_failed));
    rvl_json_set(root, "n_kept", json_integer((json_int_t)r->n_kept));
    rvl_json_set(root, "seconds", rvl_json_real(r->seconds));
    rvl_json_set(root, "failures", json_string(r->failures));
    if (r->n_requests > 0) {
        json_t *llm = json_object();
        rvl_json_set(llm, "n_requests", json_integer((json_int_t)r->n_requests));
        rvl_json_set(llm, "n_retries", json_integer((json_int_t)r->n_retries));
        rvl_json_set(llm, "prompt_tokens", json_integer((json_int_t)r->prompt_tok));
        rvl_json_set(llm, "shared_tokens", json_integer((json_int_t)r->shared_tok));
        rvl_json_set(llm, "answer_tokens", json_integer((json_int_t)r->answer_tok));
        rvl_json_set(llm, "cost", rvl_json_real(r->cost));
        rvl_json_set(llm, "estimated", json_boolean(r->is_estimated));
        rvl_json_set(root, "llm", llm);
    }
    return cli_print_json(cli, root);
}

/* "0.931 (0.902 to 0.955)"; the caller's buffer. */
static const char *interval_text(char out[40], const json_t *v)
{
    const double value = rvl_json_get_f64(v, "value", NAN);

    if (isnan(value))
        snprintf(out, 40, "-");
    else if (isnan(rvl_json_get_f64(v, "low", NAN)))
        snprintf(out, 40, "%.3f", value);
    else
        snprintf(out, 40, "%.3f (%.3f to %.3f)", value, rvl_json_get_f64(v, "low", NAN),
                 rvl_json_get_f64(v, "high", NAN));
    return out;
}

/* One side of an audit: a row a finding, then the macro. */
static int print_side(rvl_cli *cli, const json_t *side)
{
    enum { COLUMNS = 8 };
    static const char *const heads[COLUMNS] = {"finding",   "present", "auroc",  "f1",
                                               "precision", "recall",  "b-acc.", "kappa"};
    static const char *const keys[COLUMNS] = {NULL,   NULL, "auroc", "f1", "precision", "recall", "balanced_accuracy",
                                              "kappa"};
    const json_t            *findings = json_object_get(side, "findings");
    const size_t             k = json_array_size(findings);
    const char             **cells = rvl_alloc_array((k + 2) * COLUMNS, sizeof *cells);
    char(*text)[40] = rvl_alloc_array((k + 2) * COLUMNS, sizeof *text);
    rvl_error err = {0};

    if (!cells || !text) {
        rvl_free(cells);
        rvl_free(text);
        rvl_fail(&err, RVL_ERR_NOMEM, "out of memory for the table");
        return cli_fail(cli, &err);
    }
    memcpy(cells, heads, sizeof heads);
    for (size_t i = 0; i <= k; i++) {
        const json_t *f = i < k ? json_array_get(findings, i) : json_object_get(side, "macro");
        const char  **row = cells + (i + 1) * COLUMNS;
        row[0] = rvl_json_get_string(f, "name", "macro");
        snprintf(text[(i + 1) * COLUMNS + 1], sizeof *text, "%.0f", rvl_json_get_f64(f, "n_present", 0.0));
        row[1] = i < k ? text[(i + 1) * COLUMNS + 1] : "";
        for (size_t c = 2; c < COLUMNS; c++)
            row[c] = interval_text(text[(i + 1) * COLUMNS + c], json_object_get(f, keys[c]));
    }
    cli_print_table(cli, (int)k + 2, COLUMNS, cells);
    rvl_free(cells);
    rvl_free(text);
    return 0;
}

static int print_audit(rvl_cli *cli, const char *json)
{
    json_t   *doc = NULL;
    rvl_error err = {0};
    char      a[40];
    char      b[40];

    if (rvl_json_parse(&doc, json, strlen(json), "audit", &err))
        return cli_fail(cli, &err);
    const int64_t n_failed = rvl_json_get_i64(doc, "n_failed", 0);
    if (cli->json) {
        const int printed = cli_print_json(cli, doc);
        return printed ? printed : n_failed > 0 ? PARTLY_DONE : 0;
    }
    int           code = print_side(cli, json_object_get(doc, "a"));
    const json_t *macro = json_object_get(json_object_get(doc, "difference"), "macro");
    if (!code && json_object_get(doc, "b"))
        code = print_side(cli, json_object_get(doc, "b"));
    if (!code && macro)
        cli_done(cli, "first minus second: macro AUROC %s, macro F1 %s",
                 interval_text(a, json_object_get(macro, "auroc")), interval_text(b, json_object_get(macro, "f1")));
    else if (!code)
        cli_done(cli, "%lld reports; gold labels that are uncertain: %s; present from probability 0.5 on",
                 (long long)rvl_json_get_i64(doc, "n_reports", 0), rvl_json_get_string(doc, "uncertain", ""));
    if (!code && n_failed > 0)
        cli_done(cli, "%lld reports could not be labelled and are left out", (long long)n_failed);
    json_decref(doc);
    return code || n_failed == 0 ? code : PARTLY_DONE;
}

static int run_audit(rvl_cli *cli, const rvl_label_audit_opts *o)
{
    char     *json = NULL;
    rvl_error err = {0};

    if (rvl_label_audit_run(&json, o, &err))
        return cli_fail(cli, &err);
    int code = print_audit(cli, json);
    rvl_text_free(json);
    return code;
}

static int run_import(rvl_cli *cli, const rvl_label_opts *o, rvl_label_import_opts *i)
{
    rvl_label_import_result r = {0};
    rvl_error               err = {0};

    i->input = o->input;
    i->out = o->out;
    i->source = o->source;
    i->schema = o->schema;
    i->force = o->force;
    if (rvl_label_import_run(&r, i, &err))
        return cli_fail(cli, &err);
    if (cli->json) {
        json_t *root = json_object();
        rvl_json_set(root, "schema", json_string("rvl.label_import/1"));
        rvl_json_set(root, "n_corrections", json_integer((json_int_t)r.n_corrections));
        rvl_json_set(root, "n_changed", json_integer((json_int_t)r.n_changed));
        rvl_json_set(root, "n_empty", json_integer((json_int_t)r.n_empty));
        return cli_print_json(cli, root);
    }
    cli_done(cli, "%lld corrections, %lld of them change a label, %lld rows undecided", (long long)r.n_corrections,
             (long long)r.n_changed, (long long)r.n_empty);
    return 0;
}

static int run_label(rvl_cli *cli, const rvl_label_opts *o)
{
    rvl_label_result r = {0};
    rvl_error        err = {0};

    if (rvl_label_run(&r, o, &err))
        return cli_fail(cli, &err);
    const int code = r.n_failed > 0 ? PARTLY_DONE : 0;
    if (cli->json) {
        const int printed = print_json(cli, &r);
        return printed ? printed : code;
    }
    if (o->dry_run)
        cli_done(cli, "%lld reports (%lld different) would take %lld requests, %lld tokens in, %lld out, and cost %.2f",
                 (long long)r.n_reports, (long long)r.n_texts, (long long)r.n_requests, (long long)r.prompt_tok,
                 (long long)r.answer_tok, r.cost);
    else if (r.n_empty + r.n_failed)
        cli_done(cli, "labelled %lld reports with %s %s; %lld without text and %lld failed: %s",
                 (long long)(r.n_reports - r.n_empty - r.n_failed), r.source, r.version, (long long)r.n_empty,
                 (long long)r.n_failed, r.failures);
    else
        cli_done(cli, "labelled %lld reports (%lld different) with %s %s", (long long)r.n_reports, (long long)r.n_texts,
                 r.source, r.version);
    return code;
}

/* Options of one way to call the verb have no effect in another. */
static bool ways_exclude(rvl_cli *cli, const rvl_label_audit_opts *a, const rvl_label_import_opts *i)
{
    static const char *const of_audit[] = {"compare", "uncertain", "missing",   "html", "queue",
                                           "reports", "seed",      "bootstrap", NULL};
    static const char *const of_out[] = {"states", "evidence", NULL};
    static const char *const of_labeller[] = {"rules", "model",   "states", "evidence", "text-column", "audit",
                                              "llm",   "llm-url", "prompt", "dry-run",  NULL};
    static const char *const of_llm[] = {"prompt", "together", "price-in", "price-out", "budget", "dry-run", NULL};
    static const char *const of_server[] = {"llm-model", "votes", "tries", "timeout", "rate", NULL};
    const rvl_label_opts    *o = &a->label;
    const bool               asks = o->rules || cli->model || o->llm || o->llm_url;

    return cli_excludes(cli, !o->llm && !o->llm_url, "no --llm or --llm-url", of_llm) ||
           cli_excludes(cli, !o->llm_url, "no --llm-url", of_server) ||
           cli_excludes(cli, !o->llm, "no --llm", (const char *const[]){"context", NULL}) ||
           cli_excludes(cli, a->gold != NULL, "--audit", (const char *const[]){"dry-run", NULL}) ||
           cli_excludes(cli, !a->gold, "labelling, only with --audit", of_audit) ||
           cli_excludes(cli, a->gold && !asks, "--audit of labels that are there",
                        (const char *const[]){"output", NULL}) ||
           cli_excludes(cli, a->gold && asks, "--audit of labels that are made",
                        (const char *const[]){"source", NULL}) ||
           cli_excludes(cli, a->gold && !cli->output, "--audit without -o", of_out) ||
           cli_excludes(cli, !i->corrections, "labelling, only with --import",
                        (const char *const[]){"reviewer", NULL}) ||
           cli_excludes(cli, i->corrections != NULL, "--import", of_labeller);
}

/* The options are read: do what they ask for. */
static int run_way(rvl_cli *cli, rvl_label_audit_opts *a, rvl_label_import_opts *i)
{
    rvl_label_opts *o = &a->label;

    if (ways_exclude(cli, a, i))
        return cli->exit_code;
    o->out = cli->output;
    o->model = cli->model;
    o->force = cli->force;
    o->limit = cli->limit;
    o->dry_run = cli->dry_run;
    o->threads = cli->threads;
    a->seed = cli->seed;
    if (a->gold)
        return run_audit(cli, a);
    return i->corrections ? run_import(cli, o, i) : run_label(cli, o);
}

int cmd_label(int argc, char **argv, rvl_cli *cli)
{
    rvl_label_audit_opts  a = rvl_label_audit_opts_default();
    rvl_label_import_opts i = {0};
    rvl_label_opts       *o = &a.label;
    const cli_opt         opts[] = {
                OPT_GROUP("inputs"),
                OPT_ARG("INPUT", &o->input, "reports (.csv, .jsonl), a cohort; for --audit and --import also labels"),
                OPT_STR("schema", 0, &o->schema, "SCHEMA", "findings: schema name or YAML file [a cohort's own]"),
                OPT_STR("text-column", 0, &o->text_columns, "NAMES", "columns with the text, joined in this order [report]"),
                OPT_STR("id-column", 0, &o->id_column, "NAME", "column that names the report [report_id, case_id, ...]"),
                OPT_GROUP("labeller"),
                OPT_MAYBE("rules", &o->rules, "FILE", "label by rules: the schema's own, or a name or YAML file"),
                OPT_STR("llm", 0, &o->llm, "MODEL.gguf",
                        "ask a language model in this process; with --rules or -m where unsure"),
                OPT_STR("llm-url", 0, &o->llm_url, "URL", "ask one at a server (.../v1): sends it the reports"),
                OPT_STR("llm-model", 0, &o->llm_model, "NAME", "model at the server"),
                OPT_STR("prompt", 0, &o->prompt, "PROMPT", "published-ct, json, yes-no, or a YAML file [json]"),
                OPT_INT("together", 0, &o->together, "reports in a batch [4], or requests at a time [8]"),
                OPT_INT("context", 0, &o->context_tok, "tokens of prompt, report and answer, in process [4096]"),
                OPT_INT("votes", 0, &o->votes, "answers a report, where no token probabilities come [1]"),
                OPT_INT("tries", 0, &o->tries, "tries of a request [5]"),
                OPT_REAL("timeout", &o->timeout_s, "seconds of a request [120]"),
                OPT_REAL("rate", &o->requests_per_min, "requests a minute at most [no limit]"),
                OPT_REAL("price-in", &o->price_in, "price of a million prompt tokens [0]"),
                OPT_REAL("price-out", &o->price_out, "price of a million answer tokens [0]"),
                OPT_REAL("budget", &o->budget, "stop before the run costs more than this [none]"),
                OPT_GROUP("outputs"),
                OPT_FLAG("states", 0, &o->states, "columns with present, absent, uncertain, not_mentioned"),
                OPT_FLAG("evidence", 0, &o->evidence, "columns with the words that the state was read from"),
                OPT_STR("source", 0, &o->source, "NAME", "name of these labels in a cohort; those to audit [the labeller's]"),
                OPT_GROUP("audit"),
                OPT_STR("audit", 0, &a.gold, "GOLD",
                        "measure labels, or what a labeller says, against gold: .csv, or a cohort's source"),
                OPT_STR("compare", 0, &a.compare, "LABELS", "a second source, .csv or a cohort's, with paired tests [none]"),
                OPT_STR("reports", 0, &a.reports, "FILE", "reports to show, where INPUT is a table of labels [none]"),
                OPT_STR("uncertain", 0, &a.uncertain, "POLICY", "uncertain gold labels: ignore, present, absent [ignore]"),
                OPT_STR("missing", 0, &a.missing, "POLICY", "empty gold labels: ignore, absent [ignore]"),
                OPT_STR("html", 0, &a.html, "FILE", "a page with calibration and examples [none]"),
                OPT_STR("queue", 0, &a.queue, "FILE", "disagreements, for a human to decide: .csv or .html [none]"),
                OPT_INT("bootstrap", 0, &a.n_bootstrap, "draws for intervals [1000]"),
                OPT_GROUP("corrections"),
                OPT_STR("import", 0, &i.corrections, "FILE.csv",
                        "put a human's decisions into INPUT: report_id, finding, state"),
                OPT_STR("reviewer", 0, &i.reviewer, "NAME", "of rows that name none"),
                OPT_END,
    };

    const unsigned common =
        CLI_DRY_RUN | CLI_JSON | CLI_TSV | CLI_SEED | CLI_OUTPUT | CLI_FORCE | CLI_LIMIT | CLI_PROGRESS | CLI_MODEL;

    return cli_parse(cli, common, opts, argc, argv) ? run_way(cli, &a, &i) : cli->exit_code;
}
