/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cli.h
 * The option table: parsing, configuration layers, help and generated reference pages all come from it.
 *
 * A verb fills an options struct with its defaults, describes it in a table of cli_opt and calls cli_parse(). Later
 * layers win: built-in < --preset < --config < environment RVL_* < --set < flag.
 */
#ifndef RVL_CLI_CLI_H
#define RVL_CLI_CLI_H
#include "rvl/status.h"
#include <jansson.h>

typedef enum {
    CLI_OPT_ARG,   /* positional, const char ** */
    CLI_OPT_ARGS,  /* all further positionals, cli_list * */
    CLI_OPT_STR,   /* const char ** */
    CLI_OPT_MAYBE, /* --name or --name=VALUE, const char **: "" without a value */
    CLI_OPT_LIST,  /* repeatable, cli_list * */
    CLI_OPT_INT,   /* int64_t * */
    CLI_OPT_REAL,  /* double * */
    CLI_OPT_FLAG,  /* bool *, --no-name switches off */
    CLI_OPT_GROUP, /* a heading in the help; `name` is the section in configuration files */
    CLI_OPT_END
} cli_opt_kind;

typedef struct {
    const char *items[64];
    int         n_items;
} cli_list;

typedef struct {
    cli_opt_kind kind;
    const char  *name;       /* long name without dashes; ARG: upper case */
    char         short_name; /* 0: none */
    void        *value;
    const char  *metavar;
    const char  *help;     /* one line; the default in brackets at its end */
    bool         required; /* ARG only */
} cli_opt;

#define OPT_GROUP(name)                                                                                                \
    {                                                                                                                  \
        CLI_OPT_GROUP, name, 0, NULL, NULL, NULL, false                                                                \
    }
#define OPT_ARG(name, ptr, help)                                                                                       \
    {                                                                                                                  \
        CLI_OPT_ARG, name, 0, ptr, NULL, help, true                                                                    \
    }
#define OPT_ARG_MAYBE(name, ptr, help)                                                                                 \
    {                                                                                                                  \
        CLI_OPT_ARG, name, 0, ptr, NULL, help, false                                                                   \
    }
#define OPT_ARGS(name, ptr, help)                                                                                      \
    {                                                                                                                  \
        CLI_OPT_ARGS, name, 0, ptr, NULL, help, false                                                                  \
    }
#define OPT_STR(name, c, ptr, meta, help)                                                                              \
    {                                                                                                                  \
        CLI_OPT_STR, name, c, ptr, meta, help, false                                                                   \
    }
#define OPT_MAYBE(name, ptr, meta, help)                                                                               \
    {                                                                                                                  \
        CLI_OPT_MAYBE, name, 0, ptr, meta, help, false                                                                 \
    }
#define OPT_LIST(name, ptr, meta, help)                                                                                \
    {                                                                                                                  \
        CLI_OPT_LIST, name, 0, ptr, meta, help, false                                                                  \
    }
#define OPT_INT(name, c, ptr, help)                                                                                    \
    {                                                                                                                  \
        CLI_OPT_INT, name, c, ptr, "N", help, false                                                                    \
    }
#define OPT_REAL(name, ptr, help)                                                                                      \
    {                                                                                                                  \
        CLI_OPT_REAL, name, 0, ptr, "X", help, false                                                                   \
    }
#define OPT_FLAG(name, c, ptr, help)                                                                                   \
    {                                                                                                                  \
        CLI_OPT_FLAG, name, c, ptr, NULL, help, false                                                                  \
    }
#define OPT_END                                                                                                        \
    {                                                                                                                  \
        CLI_OPT_END, NULL, 0, NULL, NULL, NULL, false                                                                  \
    }

/** Common options a verb has an effect for; the others are refused. -h, -q, -v, --log-*, --config, --set and
 *  --threads are always there. */
enum {
    CLI_JSON = 1,
    CLI_SEED = 2,
    CLI_DRY_RUN = 4,
    CLI_FORCE = 8,
    CLI_LIMIT = 16,
    CLI_PROGRESS = 32,
    CLI_OUTPUT = 64,
    CLI_MODEL = 128,
    CLI_DEVICE = 256,
    CLI_TSV = 512,
    CLI_PRESET = 1024
};

typedef struct rvl_command rvl_command;
typedef struct {
    const rvl_command *command;
    int                exit_code;
    unsigned           common; /* CLI_* of the running verb */
    /* values of the common options */
    bool               json, tsv, dry_run, force, quiet, verbose, log_json;
    const char        *output, *model, *config, *preset, *progress, *log_level, *device;
    int64_t            seed, limit, threads;
    cli_list           set;
    json_t            *origins;   /* option name -> "flag", "RVL_SEED", "file.yaml:3", ...; absent: built-in */
    json_t            *resolved;  /* section -> key -> value */
    const char        *argv_text; /* the command line as typed */
    void              *texts;     /* strings that values borrow */
} rvl_cli;

typedef int (*cli_run_fn)(int argc, char **argv, rvl_cli *cli);
struct rvl_command {
    const char *name; /* "search", "synth images" */
    cli_run_fn  run;
    const char *group; /* workflow group of the overview */
    const char *summary;
    const char *examples; /* one a line */
};
extern const rvl_command cli_commands[]; /* ends with name NULL */

/** Parse argv (behind the verb) into the table's values and the common ones. False after help or wrong usage, with
 *  cli->exit_code 0 or 2. */
bool cli_parse(rvl_cli *cli, unsigned common, const cli_opt *opts, int argc, char **argv);
/** Configuration layers below the flags (config.c). given[i] are options that a flag set already. */
bool cli_config_apply(rvl_cli *cli, const cli_opt *opts, const bool *given, rvl_error *err);
void cli_config_release(rvl_cli *cli);
/** Set one option from text; `origin` says where it came from. */
bool cli_opt_set(rvl_cli *cli, const cli_opt *opt, const char *text, const char *origin, rvl_error *err);

void               cli_help_verb(const rvl_cli *cli, const cli_opt *opts, bool full); /* stdout */
void               cli_help_overview(void);
int                cli_help_topic(const char *topic);
/** Print an error to stderr and give the exit code of its status. */
int                cli_fail(rvl_cli *cli, const rvl_error *err);
/** Wrong usage: message to stderr, exit code 2. */
int                cli_usage(rvl_cli *cli, const char *format, ...) RVL_PRINTF(2, 3);
/** No option is ignored: if `active` and an option of the NULL-ended list `others` was typed on the command line, says
 *  that it has no effect with `option`, sets exit code 2 and returns true. */
bool               cli_excludes(rvl_cli *cli, bool active, const char *option, const char *const *others);
/** Print a JSON document to stdout; steals `json`. */
int                cli_print_json(rvl_cli *cli, json_t *json);
/** Plain table to stdout: cells[row * n_columns + column], first row the header; tab-separated with --tsv. */
void               cli_print_table(const rvl_cli *cli, int n_rows, int n_columns, const char *const *cells);
/** Last line of a successful run, to stderr unless quiet. */
void               cli_done(const rvl_cli *cli, const char *format, ...) RVL_PRINTF(2, 3);
/** The command's row by words, and how many words its name has; NULL if none. */
const rvl_command *cli_find(int argc, char **argv, int *n_words);
const char        *cli_nearest_command(const char *word);

#endif /* RVL_CLI_CLI_H */
