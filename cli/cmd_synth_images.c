/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_synth_images.c
 * rvl synth images: draw phantoms.
 */
#include "base/json.h"
#include "cli/cmd.h"
#include "rvl/verbs.h"
#include <string.h>

int cmd_synth_images(int argc, char **argv, rvl_cli *cli)
{
    rvl_synth_images_opts   o = rvl_synth_images_opts_default();
    rvl_synth_images_result r;
    rvl_error               err = {0};
    const cli_opt           opts[] = {
                  OPT_GROUP("images"),
                  OPT_INT("n", 'n', &o.n, "how many cases [200]"),
                  OPT_STR("engine", 0, &o.engine, "NAME", "phantom [phantom]"),
                  OPT_STR("modality", 0, &o.modality, "NAME", "cxr or ct [cxr]"),
                  OPT_INT("size", 0, &o.size, "side in pixels [256; ct: 128]"),
                  OPT_STR("split", 0, &o.split, "A,B,C", "shares of train, val, test patients [0.8,0.1,0.1]"),
                  OPT_GROUP("ct"),
                  OPT_INT("recons", 0, &o.recons, "volumes made of a scan, at most [2]"),
                  OPT_FLAG("twin", 0, &o.twin, "draw each scan's radiograph too"),
                  OPT_FLAG("no-masks", 0, &o.no_masks, "leave the truth masks out"),
                  OPT_END,
    };

    if (!cli_parse(cli, CLI_OUTPUT | CLI_SEED | CLI_DRY_RUN | CLI_FORCE | CLI_JSON | CLI_PROGRESS, opts, argc, argv))
        return cli->exit_code;
    if (cli_excludes(cli, strcmp(o.modality, "ct") != 0, "radiographs",
                     (const char *const[]){"recons", "twin", "no-masks", NULL}))
        return cli->exit_code;
    o.out = cli->output;
    o.seed = cli->seed;
    o.force = cli->force;
    o.dry_run = cli->dry_run;
    if (rvl_synth_images_run(&r, &o, &err))
        return cli_fail(cli, &err);
    if (cli->json) {
        json_t *j = json_object();
        rvl_json_set(j, "schema", json_string("rvl.synth_images/1"));
        rvl_json_set(j, "cases", json_integer(r.n_cases));
        rvl_json_set(j, "drawn", json_integer(r.n_drawn));
        rvl_json_set(j, "kept", json_integer(r.n_kept));
        rvl_json_set(j, "images", json_integer(r.n_images));
        int code = cli_print_json(cli, j);
        if (code)
            return code;
    }
    cli_done(cli, "%s %s: %lld cases, %lld drawn, %lld there already; next: rvl ingest %s -o cohort",
             o.dry_run ? "would write" : "wrote", o.out, (long long)r.n_cases, (long long)r.n_drawn,
             (long long)r.n_kept, o.out);
    return 0;
}
