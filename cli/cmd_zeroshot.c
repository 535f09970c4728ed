/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_zeroshot.c
 * rvl zeroshot: a probability per finding from prompts.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/cmd.h"
#include "rvl/verbs.h"
#include <stdio.h>

static int print_json(rvl_cli *cli, const rvl_scores *s)
{
    json_t *root = json_object();
    json_t *cases = json_array();
    for (int64_t i = 0; i < s->n_cases; i++) {
        json_t *c = json_object();
        json_t *p = json_object();
        for (int j = 0; j < s->n_findings; j++)
            rvl_json_set(p, s->findings[j], rvl_json_real(s->probability[i * s->n_findings + j]));
        rvl_json_set(c, "case", json_string(s->case_ids[i]));
        rvl_json_set(c, "probability", p);
        json_array_append_new(cases, c);
    }
    rvl_json_set(root, "schema", json_string("rvl.zeroshot/1"));
    rvl_json_set(root, "model_id", json_string(s->model_id));
    rvl_json_set(root, "cases", cases);
    return cli_print_json(cli, root);
}

static int print_table(rvl_cli *cli, const rvl_scores *s)
{
    const int    columns = s->n_findings + 1;
    const size_t n = (size_t)(s->n_cases + 1) * (size_t)columns;
    const char **cells = rvl_alloc_array(n, sizeof *cells);
    char(*text)[8] = rvl_alloc_array(n, sizeof *text);
    rvl_error err = {0};

    if (!cells || !text) {
        rvl_fail(&err, RVL_ERR_NOMEM, "out of memory for the table");
        rvl_free(cells);
        rvl_free(text);
        return cli_fail(cli, &err);
    }
    cells[0] = "case";
    for (int j = 0; j < s->n_findings; j++)
        cells[j + 1] = s->findings[j];
    for (int64_t i = 0; i < s->n_cases; i++) {
        cells[(i + 1) * columns] = s->case_ids[i];
        for (int j = 0; j < s->n_findings; j++) {
            int64_t at = (i + 1) * columns + j + 1;
            snprintf(text[at], sizeof text[at], "%.3f", (double)s->probability[i * s->n_findings + j]);
            cells[at] = text[at];
        }
    }
    cli_print_table(cli, (int)s->n_cases + 1, columns, cells);
    rvl_free(cells);
    rvl_free(text);
    return 0;
}

int cmd_zeroshot(int argc, char **argv, rvl_cli *cli)
{
    rvl_zeroshot_opts o = {.split = "all"};
    rvl_scores       *s = NULL;
    rvl_error         err = {0};
    const cli_opt     opts[] = {
            OPT_GROUP("inputs"),
            OPT_ARG("INPUT", &o.input, "cohort, or one image file"),
            OPT_STR("split", 0, &o.split, "NAME", "split of the cohort [all]"),
            OPT_STR("modality", 0, &o.modality, "NAME", "of an image file: cxr, ct, mg [not known]"),
            OPT_STR("view", 0, &o.view, "NAME", "of an image file: pa, ap, lateral, cc, mlo [not known]"),
            OPT_STR("prompts", 0, &o.prompts, "SCHEMA", "schema or YAML file, @SET for other sentences [the model's]"),
            OPT_END,
    };

    if (!cli_parse(cli, CLI_MODEL | CLI_JSON | CLI_TSV | CLI_LIMIT | CLI_FORCE | CLI_DEVICE, opts, argc, argv))
        return cli->exit_code;
    if (cli_excludes(cli, !rvl_path_is_dir(o.input), "one image", (const char *const[]){"split", "limit", NULL}) ||
        cli_excludes(cli, rvl_path_is_dir(o.input), "a cohort", (const char *const[]){"modality", "view", NULL}))
        return cli->exit_code;
    o.model = cli->model;
    o.limit = cli->limit;
    o.threads = cli->threads;
    o.force = cli->force;
    if (rvl_zeroshot_run(&s, &o, &err))
        return cli_fail(cli, &err);
    int code = cli->json ? print_json(cli, s) : print_table(cli, s);
    if (!code)
        cli_done(cli, "scored %lld cases; scores are not diagnoses; next: rvl bench", (long long)s->n_cases);
    rvl_scores_free(s);
    return code;
}
