/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_embed.c
 * rvl embed: studies and reports to an index.
 */
#include "base/json.h"
#include "cli/cmd.h"
#include "rvl/verbs.h"

int cmd_embed(int argc, char **argv, rvl_cli *cli)
{
    rvl_embed_opts   o = {.split = "all", .kind = "both"};
    rvl_embed_result r;
    rvl_error        err = {0};
    const cli_opt    opts[] = {
           OPT_GROUP("inputs"),
           OPT_ARG("COHORT", &o.cohort, "folder made by `rvl ingest`"),
           OPT_STR("split", 0, &o.split, "NAME", "split of the cohort [all]"),
           OPT_STR("kind", 0, &o.kind, "KIND", "image, text or both [both]"),
           OPT_FLAG("append", 0, &o.append, "add to an index; known cases are replaced"),
           OPT_END,
    };

    if (!cli_parse(cli, CLI_MODEL | CLI_OUTPUT | CLI_JSON | CLI_LIMIT | CLI_FORCE | CLI_DEVICE, opts, argc, argv))
        return cli->exit_code;
    if (cli_excludes(cli, o.append, "--append", (const char *const[]){"force", NULL}))
        return cli->exit_code;
    o.model = cli->model;
    o.out = cli->output;
    o.limit = cli->limit;
    o.threads = cli->threads;
    o.force = cli->force;
    if (rvl_embed_run(&r, &o, &err))
        return cli_fail(cli, &err);
    if (cli->json) {
        json_t *j = json_object();
        rvl_json_set(j, "schema", json_string("rvl.embed/1"));
        rvl_json_set(j, "index", json_string(o.out));
        rvl_json_set(j, "cases", json_integer(r.n_cases));
        rvl_json_set(j, "embed_dim", json_integer(r.embed_dim));
        rvl_json_set(j, "image", json_boolean(r.has_image));
        rvl_json_set(j, "text", json_boolean(r.has_text));
        rvl_json_set(j, "truncated_reports", json_integer(r.n_truncated_reports));
        int code = cli_print_json(cli, j);
        if (code)
            return code;
    }
    cli_done(cli, "wrote %s: %lld cases x %d%s, %lld reports cut; next: rvl search %s --text \"...\"", o.out,
             (long long)r.n_cases, r.embed_dim, r.has_text ? ", images and texts" : ", images",
             (long long)r.n_truncated_reports, o.out);
    return 0;
}
