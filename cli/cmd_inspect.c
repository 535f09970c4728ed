/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_inspect.c
 * rvl inspect: show what a thing is.
 */
#include "base/json.h"
#include "cli/cmd.h"
#include "rvl/plan.h"
#include "rvl/verbs.h"
#include <stdio.h>
#include <string.h>

/* Any value but an object on one line. */
static void print_value(const json_t *value)
{
    char     *text = NULL;
    rvl_error ignored = {0};
    if (json_is_string(value))
        printf("%s\n", json_string_value(value));
    else if (json_is_real(value))
        printf("%.6g\n", json_real_value(value));
    else if (json_is_integer(value))
        printf("%lld\n", (long long)json_integer_value(value));
    else if (json_is_boolean(value) || json_is_null(value))
        printf("%s\n", json_is_true(value) ? "true" : json_is_false(value) ? "false" : "-");
    else if (rvl_json_format(&text, value, 0, &ignored) == RVL_OK)
        printf("%s\n", text);
    rvl_text_free(text);
}

/* "key: value" lines, nested keys indented; arrays of objects one a line. */
static void print_tree(const json_t *j, int depth)
{
    const char *key;
    json_t     *value;
    json_t     *item;
    size_t      i;

    json_object_foreach((json_t *)j, key, value)
    {
        printf("%*s%s", 2 * depth, "", key);
        if (json_is_object(value)) {
            printf("\n");
            print_tree(value, depth + 1);
        } else if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
            printf(" (%zu)\n", json_array_size(value));
            json_array_foreach(value, i, item)
            {
                printf("%*s", 2 * depth + 2, "");
                print_value(item);
            }
        } else {
            printf(": ");
            print_value(value);
        }
    }
}

static int print_config(const char *path, rvl_cli *cli)
{
    char  line[1024];
    char  name[4200];
    FILE *f;

    snprintf(name, sizeof name, "%s/config.yaml", path);
    f = fopen(name, "r");
    if (!f)
        return cli_usage(cli, "'%s' has no config.yaml: --config-of wants a run folder", path);
    while (fgets(line, sizeof line, f))
        fputs(line, stdout);
    fclose(f);
    return 0;
}

int cmd_inspect(int argc, char **argv, rvl_cli *cli)
{
    const char   *path = NULL;
    char         *text = NULL;
    bool          show_config = false, show_plan = false, stats = false;
    rvl_error     err = {0};
    const cli_opt opts[] = {
        OPT_GROUP("inputs"),
        OPT_ARG("THING", &path,
                "cohort, run, bundle, index, weight file, image, DICOM file or folder, array, volume or schema name"),
        OPT_FLAG("stats", 0, &stats,
                 "statistics of the stored and of the physical values of an image, volume or array"),
        OPT_FLAG("plan", 0, &show_plan, "where time and memory of a run's step go (its plan.json)"),
        OPT_FLAG("config-of", 0, &show_config, "a run's configuration, and where each value came from"),
        OPT_END,
    };

    if (!cli_parse(cli, CLI_JSON, opts, argc, argv))
        return cli->exit_code;
    if (cli_excludes(cli, show_config, "--config-of", (const char *const[]){"json", NULL}))
        return cli->exit_code;
    if (cli_excludes(cli, stats, "--stats", (const char *const[]){"plan", "config-of", NULL}))
        return cli->exit_code;
    if (show_config)
        return print_config(path, cli);
    if (show_plan)
        return cli_inspect_plan(cli, path);
    if (rvl_inspect_run(&text, path, stats, &err))
        return cli_fail(cli, &err);
    json_t *root = NULL;
    if (cli->json)
        printf("%s\n", text);
    else if (rvl_json_parse(&root, text, strlen(text), "inspect result", &err) == RVL_OK) {
        if (json_object_get(root, "volumes"))
            cli_print_series(cli, json_object_get(root, "volumes"), root);
        else
            print_tree(root, 0);
    }
    json_decref(root);
    rvl_text_free(text);
    return err.code ? cli_fail(cli, &err) : 0;
}
