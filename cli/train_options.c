/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/train_options.c
 * What pretrain and align share at the command line.
 */
#include "cli/train_options.h"
#include "base/alloc.h"
#include "base/json.h"

bool cli_train_take(rvl_cli *cli, rvl_train_opts *o)
{
    static const char *const sizes[] = {"width",       "depth",     "bottleneck", "stem-kernel",
                                        "stem-stride", "stem-pool", NULL};
    rvl_error                err = {0};
    char                    *text = NULL;
    json_t                  *config;

    if (cli_excludes(cli, o->arch && *o->arch, "--arch", sizes) ||
        cli_excludes(cli, o->steps > 0, "--steps (--steps 0 goes by epochs)", (const char *const[]){"epochs", NULL}))
        return false;
    config = json_object();
    o->seed = cli->seed;
    o->threads = cli->threads;
    o->limit = cli->limit;
    o->dry_run = cli->dry_run;
    rvl_json_set(config, "resolved", json_incref(cli->resolved));
    rvl_json_set(config, "origins", json_incref(cli->origins));
    if (rvl_json_format(&text, config, 0, &err) == RVL_OK)
        o->config_json = text;
    json_decref(config);
    o->argv_text = cli->argv_text;
    return true;
}

void cli_train_release(rvl_train_opts *o)
{
    rvl_free((void *)(uintptr_t)o->config_json);
    o->config_json = NULL;
}

int cli_train_print(rvl_cli *cli, const rvl_train_opts *o, const rvl_train_result *r, const char *next)
{
    if (o->dry_run)
        return 0;
    if (cli->json) {
        json_t *j = json_object();
        rvl_json_set(j, "schema", json_string("rvl.train/1"));
        rvl_json_set(j, "run", json_string(r->run));
        rvl_json_set(j, "steps", json_integer(r->n_steps));
        rvl_json_set(j, "epochs", json_integer(r->n_epochs));
        rvl_json_set(j, "metric", json_string(r->metric));
        rvl_json_set(j, "best_step", json_integer(r->best_step));
        rvl_json_set(j, "best_value", r->best_step < 0 ? json_null() : rvl_json_real(r->best_value));
        rvl_json_set(j, "last_loss", rvl_json_real(r->last_loss));
        rvl_json_set(j, "seconds", rvl_json_real(r->seconds));
        int code = cli_print_json(cli, j);
        if (code)
            return code;
    }
    if (r->best_step >= 0)
        cli_done(cli, "wrote %s: %lld steps in %.1f s, best %s %.4f at step %lld; next: %s %s", r->run,
                 (long long)r->n_steps, r->seconds, r->metric, r->best_value, (long long)r->best_step, next, r->run);
    else
        cli_done(cli, "wrote %s: %lld steps in %.1f s, last loss %.4f; next: %s %s", r->run, (long long)r->n_steps,
                 r->seconds, r->last_loss, next, r->run);
    return 0;
}
