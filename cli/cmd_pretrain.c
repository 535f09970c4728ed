/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_pretrain.c
 * rvl pretrain: supervise the image tower with labels, or a text tower that classifies reports.
 */
#include <string.h>
#include "cli/cmd.h"
#include "cli/train_options.h"

/* What each tower has no use for. */
static const char *const image_only[] = {"image-tower",  "arch",      "patch",      "image-pooling", "in-channels",
                                         "sum-channels", "width",     "depth",      "bottleneck",    "stem-kernel",
                                         "stem-stride",  "stem-pool", "lock-image", "lr-image",      "augment",
                                         "crop-only",    NULL};
static const char *const text_only[] = {
    "text-tower", "lock-text", "lr-text", "vocabulary", "vocabulary-size", "text-layers", "text-width",   "text-heads",
    "max-tok",    "dropout",   "pooling", "text",       "schema",          "text-column", "split-column", NULL};

static int run_tower(rvl_cli *cli, const char *tower, rvl_pretrain_opts *o, rvl_pretrain_text_opts *w)
{
    const bool       is_text = strcmp(tower, "text") == 0;
    rvl_train_result result;
    rvl_error        err = {0};

    if (!is_text && strcmp(tower, "image") != 0) {
        (void)rvl_fail(&err, RVL_ERR_USAGE, "--tower is image or text, not '%s'", tower);
        return cli_fail(cli, &err);
    }
    if (cli_excludes(cli, is_text, "--tower text", image_only) ||
        cli_excludes(cli, !is_text, "--tower image", text_only))
        return cli->exit_code;
    w->train = o->train;
    w->uncertain = o->uncertain;
    w->missing = o->missing;
    w->without = o->without;
    if (is_text ? rvl_pretrain_text_run(&result, w, &err) : rvl_pretrain_run(&result, o, &err))
        return cli_fail(cli, &err);
    return cli_train_print(cli, &o->train, &result, is_text ? "rvl label REPORTS.csv -m" : "rvl align --image-tower");
}

int cmd_pretrain(int argc, char **argv, rvl_cli *cli)
{
    rvl_pretrain_opts      o = rvl_pretrain_opts_default();
    rvl_pretrain_text_opts w = rvl_pretrain_text_opts_default();
    const char            *tower = "image";
    const cli_opt          opts[] = {
                 TRAIN_INPUT_OPTIONS(o.train),
                 OPT_STR("tower", 0, &tower, "WHICH", "image, or text: a classifier of reports, of a cohort or a CSV [image]"),
                 OPT_STR("labels", 0, &o.train.labels, "SOURCE", "labels that rvl label made: rules, ... [the table's]"),
                 OPT_STR("uncertain", 0, &o.uncertain, "POLICY", "uncertain labels: ignore, present, absent or half [ignore]"),
                 OPT_STR("missing", 0, &o.missing, "POLICY", "findings not mentioned: ignore or absent [absent]"),
                 OPT_STR("without", 0, &o.without, "FINDINGS", "comma-separated findings withheld from the labels [none]"),
                 OPT_STR("text", 0, &w.text, "SECTION", "of a cohort's reports: findings, impression or both [both]"),
                 OPT_STR("schema", 0, &w.schema, "NAME", "findings of a CSV: built-in schema or YAML file"),
                 OPT_STR("text-column", 0, &w.text_columns, "NAMES", "columns of a CSV that hold the text, by commas [report]"),
                 OPT_STR("split-column", 0, &w.split_column, "NAME", "of a CSV [one report in ten is val]"),
                 TRAIN_RECIPE_OPTIONS(o.train),
                 TRAIN_TOWER_OPTIONS(o.train),
                 TRAIN_IMAGE_RATE_OPTIONS(o.train),
                 TRAIN_TEXT_TOWER_OPTIONS(w.tower),
                 OPT_END,
    };

    if (!cli_parse(cli, CLI_PRESET | CLI_JSON | CLI_SEED | CLI_LIMIT | CLI_DRY_RUN | CLI_DEVICE, opts, argc, argv))
        return cli->exit_code;
    if (!cli_train_take(cli, &o.train))
        return cli->exit_code;
    int code = run_tower(cli, tower, &o, &w);
    cli_train_release(&o.train);
    return code;
}
