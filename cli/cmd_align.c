/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_align.c
 * rvl align: train an image tower and a text tower to agree.
 */
#include "cli/cmd.h"
#include "cli/train_options.h"

int cmd_align(int argc, char **argv, rvl_cli *cli)
{
    rvl_align_opts   o = rvl_align_opts_default();
    rvl_train_result result;
    rvl_error        err = {0};
    const cli_opt    opts[] = {
           TRAIN_INPUT_OPTIONS(o.train),
           OPT_STR("text", 0, &o.text, "SECTION", "findings, impression or both [both]"),
           OPT_FLAG("sample-sentences", 0, &o.sample_sentences, "train on random subsets of a report's sentences [yes]"),
           OPT_STR("duplicates", 0, &o.duplicates, "HOW",
                   "equal texts in a batch: share the target, or ignore it [share]"),
           TRAIN_RECIPE_OPTIONS(o.train),
           TRAIN_TOWER_OPTIONS(o.train),
           TRAIN_IMAGE_RATE_OPTIONS(o.train),
           TRAIN_TEXT_TOWER_OPTIONS(o.tower),
           OPT_GROUP("space"),
           OPT_INT("embed-dim", 0, &o.embed_dim, "width of the shared space [128]"),
           OPT_STR("similarity", 0, &o.similarity, "KIND", "cosine or dot [cosine]"),
           OPT_REAL("temperature", &o.temperature, "start, or the fixed value [0.07]"),
           OPT_REAL("label-loss", &o.label_loss, "weight of a BCE on the findings, on both embeddings [0]"),
           OPT_FLAG("learn-temperature", 0, &o.learn_temperature, "train it [yes]"),
           OPT_END,
    };

    if (!cli_parse(cli, CLI_PRESET | CLI_JSON | CLI_SEED | CLI_LIMIT | CLI_DRY_RUN | CLI_DEVICE, opts, argc, argv))
        return cli->exit_code;
    if (!cli_train_take(cli, &o.train))
        return cli->exit_code;
    int code = rvl_align_run(&result, &o, &err) ? cli_fail(cli, &err)
                                                : cli_train_print(cli, &o.train, &result, "rvl embed -m");
    cli_train_release(&o.train);
    return code;
}
