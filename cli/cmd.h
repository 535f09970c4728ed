/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd.h
 * One function per verb, each in cmd_<verb>.c: options table -> verbs/ -> print.
 */
#ifndef RVL_CLI_CMD_H
#define RVL_CLI_CMD_H
#include "cli/cli.h"

int cmd_synth_images(int argc, char **argv, rvl_cli *cli);
int cmd_ingest(int argc, char **argv, rvl_cli *cli);
int cmd_convert(int argc, char **argv, rvl_cli *cli);
int cmd_label(int argc, char **argv, rvl_cli *cli);
int cmd_inspect(int argc, char **argv, rvl_cli *cli);
int cmd_pretrain(int argc, char **argv, rvl_cli *cli);
int cmd_align(int argc, char **argv, rvl_cli *cli);
int cmd_probe(int argc, char **argv, rvl_cli *cli);
int cmd_embed(int argc, char **argv, rvl_cli *cli);
int cmd_search(int argc, char **argv, rvl_cli *cli);
int cmd_zeroshot(int argc, char **argv, rvl_cli *cli);
int cmd_bench(int argc, char **argv, rvl_cli *cli);

/** rvl inspect RUN --plan; `path` is a run folder or a plan.json. */
int cli_inspect_plan(rvl_cli *cli, const char *path);
/** Table of DICOM series: `rows` as inspect and convert give them, then what was skipped of `root`. Exit code. */
int cli_print_series(rvl_cli *cli, const json_t *rows, const json_t *root);

#endif /* RVL_CLI_CMD_H */
