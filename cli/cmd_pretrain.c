/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_pretrain.c
 * rvl pretrain: supervise the image tower with labels.
 */
#include "cli/cmd.h"
#include "cli/train_options.h"

int cmd_pretrain(int argc, char **argv, rvl_cli *cli)
{
    rvl_pretrain_opts o = rvl_pretrain_opts_default();
    rvl_train_result  result;
    rvl_error         err = {0};
    const cli_opt     opts[] = {
            TRAIN_INPUT_OPTIONS(o.train),
            OPT_STR("labels", 0, &o.train.labels, "SOURCE", "labels that rvl label made: rules, ... [the table's]"),
            OPT_STR("uncertain", 0, &o.uncertain, "POLICY", "uncertain labels: ignore, present, absent or half [ignore]"),
            OPT_STR("missing", 0, &o.missing, "POLICY", "findings not mentioned: ignore or absent [absent]"),
            OPT_STR("without", 0, &o.without, "FINDINGS", "comma-separated findings withheld from the labels [none]"),
            TRAIN_RECIPE_OPTIONS(o.train),
            TRAIN_TOWER_OPTIONS(o.train),
            TRAIN_IMAGE_RATE_OPTIONS(o.train),
            OPT_END,
    };

    if (!cli_parse(cli, CLI_PRESET | CLI_JSON | CLI_SEED | CLI_LIMIT | CLI_DRY_RUN | CLI_DEVICE, opts, argc, argv))
        return cli->exit_code;
    if (!cli_train_take(cli, &o.train))
        return cli->exit_code;
    int code = rvl_pretrain_run(&result, &o, &err) ? cli_fail(cli, &err)
                                                   : cli_train_print(cli, &o.train, &result, "rvl align --image-tower");
    cli_train_release(&o.train);
    return code;
}
