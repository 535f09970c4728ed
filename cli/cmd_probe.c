/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_probe.c
 * rvl probe: linear classifiers on frozen features.
 */
#include "base/json.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "rvl/plan.h"
#include "rvl/verbs.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 5, MAX_ROWS = 132 };

static void add_number(rvl_str *s, const json_t *object, const char *key)
{
    rvl_str_addf(s, "%g", rvl_json_get_f64(object, key, NAN));
}

static void add_interval(rvl_str *s, const json_t *v)
{
    const double value = rvl_json_get_f64(v, "value", NAN);
    const double low = rvl_json_get_f64(v, "low", NAN);

    if (!isfinite(value))
        rvl_str_add(s, "-");
    else if (!isfinite(low))
        rvl_str_addf(s, "%.3f", value);
    else
        rvl_str_addf(s, "%.3f (%.3f-%.3f)", value, low, rvl_json_get_f64(v, "high", NAN));
}

static void print_table(const rvl_cli *cli, const json_t *part)
{
    static rvl_str text[MAX_ROWS * COLUMNS]; /* large; one verb runs in a process */
    const char    *cells[MAX_ROWS * COLUMNS] = {"finding", "trained on", "lambda", "AUROC", "AP"};
    size_t         n = 1;
    size_t         i;
    json_t        *f;

    json_array_foreach(json_object_get(part, "findings"), i, f)
    {
        rvl_str *row = text + n * COLUMNS;
        if (n == MAX_ROWS - 1)
            break;
        rvl_str_addf(&row[0], "%.30s", rvl_json_get_string(f, "name", ""));
        add_number(&row[1], f, "n_train_present");
        rvl_str_add(&row[1], "/");
        add_number(&row[1], f, "n_train");
        add_number(&row[2], f, "lambda");
        add_interval(&row[3], json_object_get(f, "auroc"));
        add_interval(&row[4], json_object_get(f, "ap"));
        n++;
    }
    rvl_str_add(&text[n * COLUMNS], "macro");
    add_interval(&text[n * COLUMNS + 3], json_object_get(part, "macro_auroc"));
    add_interval(&text[n * COLUMNS + 4], json_object_get(part, "macro_ap"));
    n++;
    for (i = COLUMNS; i < n * COLUMNS; i++)
        cells[i] = text[i].ptr ? text[i].ptr : "";
    cli_print_table(cli, (int)n, COLUMNS, cells);
    for (i = 0; i < n * COLUMNS; i++)
        rvl_str_free(&text[i]);
}

int cmd_probe(int argc, char **argv, rvl_cli *cli)
{
    rvl_probe_opts o = rvl_probe_opts_default();
    rvl_error      err = {0};
    char          *text = NULL;
    json_t        *root = NULL;
    const cli_opt  opts[] = {
         OPT_GROUP("inputs"),
         OPT_ARG("COHORT", &o.cohort, "folder made by `rvl ingest`, with labels"),
         OPT_STR("index", 0, &o.index, "INDEX", "image embeddings made by `rvl embed`, instead of a model"),
         OPT_STR("features", 0, &o.features, "KIND", "of the model: pooled or embedding [pooled]"),
         OPT_STR("split", 0, &o.split, "NAME", "split to fit on; several by commas [train]"),
         OPT_STR("val-split", 0, &o.val_split, "NAME", "split that chooses the regularisation [val]"),
         OPT_STR("test-split", 0, &o.test_split, "NAME", "split to measure on [test]"),
         OPT_STR("findings", 0, &o.findings, "A,B", "findings to probe for [all that are labelled]"),
         OPT_STR("uncertain", 0, &o.uncertain, "POLICY", "uncertain labels: ignore, present or absent [ignore]"),
         OPT_STR("missing", 0, &o.missing, "POLICY", "findings not mentioned: ignore or absent [absent]"),
         OPT_GROUP("output"),
         OPT_INT("bootstrap", 0, &o.n_bootstrap, "draws for the intervals [1000]"),
         OPT_STR("predictions-out", 0, &o.predictions_out, "CSV", "write the probabilities of the test split"),
         OPT_END,
    };

    if (!cli_parse(cli, CLI_MODEL | CLI_OUTPUT | CLI_JSON | CLI_TSV | CLI_SEED | CLI_FORCE | CLI_DEVICE, opts, argc,
                   argv))
        return cli->exit_code;
    if (cli_excludes(cli, o.index != NULL, "--index", (const char *const[]){"features", NULL}) ||
        cli_excludes(cli, cli->output == NULL, "no -o", (const char *const[]){"force", NULL}))
        return cli->exit_code;
    o.model = cli->model;
    o.out = cli->output;
    o.seed = cli->seed;
    o.threads = cli->threads;
    o.force = cli->force;
    if (rvl_probe_run(&text, &o, &err) || rvl_json_parse(&root, text, strlen(text), "probe result", &err)) {
        rvl_text_free(text);
        return cli_fail(cli, &err);
    }
    if (cli->json)
        printf("%s\n", text);
    else
        print_table(cli, json_object_get(root, "probe"));
    json_decref(root);
    rvl_text_free(text);
    if (o.out)
        cli_done(cli, "wrote %s", o.out);
    return 0;
}
