/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/main.c
 * Entry: worker processes, OpenMP's wait policy, signals, the verb table. No logic lives here.
 */
#include "base/str.h"
#include "base/util.h"
#include "rvl/plan.h"
#include "cli/cli.h"
#include "verbs/serve.h"
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libgomp reads OMP_WAIT_POLICY before main, so it must be in the environment when the program starts: spinning
 * threads starve machines whose cores are shared. */
static void want_passive_waiting(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("RVL_STARTED"))
        return;
    if (setenv("OMP_WAIT_POLICY", "passive", 1) == 0 && setenv("RVL_STARTED", "1", 1) == 0)
        execv("/proc/self/exe", argv); /* on failure we go on, only slower */
}

static void on_signal(int number)
{
    if (rvl_cancel_requested())
        _exit(128 + number);
    rvl_cancel_request();
}

static void install_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of the write, as a full disk is */
}

static int run_help(int argc, char **argv)
{
    int n_words = 0;
    if (argc == 0) {
        cli_help_overview();
        return 0;
    }
    const rvl_command *c = cli_find(argc, argv, &n_words);
    if (argc > (c ? n_words : 1)) {
        fprintf(stderr, "rvl: 'rvl help' takes one verb or topic, not '%s' behind it\n", argv[c ? n_words : 1]);
        return 2;
    }
    if (cli_help_topic(argv[0]) == 0)
        return 0;
    if (!c) {
        const char *near = cli_nearest_command(argv[0]);
        fprintf(stderr, "rvl: no verb or topic '%s'%s%s%s\n", argv[0], near ? "\nhint: did you mean '" : "",
                near ? near : "", near ? "'?" : "");
        return 2;
    }
    static char help_flag[] = "--help";
    char       *words[] = {help_flag};
    rvl_cli     cli = {.command = c, .origins = json_object(), .resolved = json_object()};
    c->run(1, words, &cli);
    json_decref(cli.origins);
    json_decref(cli.resolved);
    return 0;
}

static int run_version(int argc, char **argv)
{
    const bool json = argc == 1 && strcmp(argv[0], "--json") == 0;
    if (argc > 0 && !json) {
        fprintf(stderr, "rvl: 'rvl version' takes --json and nothing else, not '%s'\n", argv[argc - 1]);
        return 2;
    }
    if (json)
        printf("{\"schema\": \"rvl.version/1\", \"version\": \"%s\", \"backends\": [\"cpu\", \"ref\"], "
               "\"default_backend\": "
               "\"%s\", \"mpi\": false, \"cuda\": false, \"threads\": %d}\n",
               RVL_VERSION, rvl_backend_text(), omp_get_max_threads());
    else
        printf("rvl %s\nbackends: %s, ref\nMPI: not built in\nCUDA: not built in\nthreads: %d\n", RVL_VERSION,
               rvl_backend_text(), omp_get_max_threads());
    return 0;
}

static int run_verb(const rvl_command *c, int argc, char **argv)
{
    rvl_cli cli = {.command = c, .origins = json_object(), .resolved = json_object()};
    rvl_str typed = {0};
    rvl_str_addf(&typed, "rvl %s", c->name);
    for (int i = 0; i < argc; i++)
        rvl_str_addf(&typed, " %s", argv[i]);
    if (!cli.origins || !cli.resolved || typed.failed)
        return rvl_status_exit_code(RVL_ERR_NOMEM);
    cli.argv_text = typed.ptr;
    int code = c->run(argc, argv, &cli);
    rvl_str_free(&typed);
    json_decref(cli.origins);
    json_decref(cli.resolved);
    cli_config_release(&cli);
    return code;
}

/* Nothing that was lost on the way to stdout passes for success: an early write may fail and the last one not. */
static int close_stdout(int code)
{
    const bool lost = fflush(stdout) != 0 || ferror(stdout);
    if (!lost || code != 0)
        return code;
    fprintf(stderr, "rvl: cannot write to stdout\n");
    return rvl_status_exit_code(RVL_ERR_IO);
}

static int run(int argc, char **argv)
{
    int n_words = 0;

    if (argc < 2 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
        return run_help(0, NULL);
    if (strcmp(argv[1], "help") == 0)
        return run_help(argc - 2, argv + 2);
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)
        return run_version(argc - 2, argv + 2);
    const rvl_command *c = cli_find(argc - 1, argv + 1, &n_words);
    if (c)
        return run_verb(c, argc - 1 - n_words, argv + 1 + n_words);
    const char *near = cli_nearest_command(argv[1]);
    fprintf(stderr, "rvl: '%s' is no verb%s%s%s\nrun 'rvl' for the list\n", argv[1], near ? "; did you mean '" : "",
            near ? near : "", near ? "'?" : "");
    return 2;
}

int main(int argc, char **argv)
{
    int code;

    if (rvl_worker_main(&code, argc, argv, rvl__verbs_serve)) /* a process that reads files for another */
        return code;
    want_passive_waiting(argv);
    install_signals();
    return close_stdout(run(argc, argv));
}
