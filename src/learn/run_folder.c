/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/run_folder.c
 * Opening a run folder, its run.json, config.yaml and logs. Checkpoints are in learn/checkpoint.c.
 */
#include "learn/run_folder.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "learn/run_internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char *rvl__run_file(const rvl_run *run, const char *name)
{
    return rvl_path_join(run->path, name);
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the run folder");
}

/* config.yaml: every value, and where it came from as a comment. */
static rvl_status write_config(const rvl_run *run, const char *config_json, rvl_error *err)
{
    json_t     *config = NULL;
    rvl_str     s = {0};
    char       *path = rvl__run_file(run, "config.yaml");
    rvl_status  st = path ? RVL_OK : no_memory(err);
    const char *section;
    const char *key;
    json_t     *keys;
    json_t     *value;

    if (!st && config_json)
        st = rvl_json_parse(&config, config_json, strlen(config_json), "configuration", err);
    rvl_str_add(&s, "# Fully resolved; `rvl <verb> COHORT --config config.yaml` repeats the run.\n");
    json_object_foreach(json_object_get(config, "resolved"), section, keys)
    {
        rvl_str_addf(&s, "%s:\n", section);
        json_object_foreach(keys, key, value)
        {
            char *text = NULL;
            if (rvl_json_format(&text, value, 0, err))
                s.failed = true;
            char name[64];
            snprintf(name, sizeof name, "%s", key);
            for (char *c = name; *c; c++)
                if (*c == '_')
                    *c = '-';
            rvl_str_addf(&s, "  %s: %s  # %s\n", key, text ? text : "",
                         rvl_json_get_string(json_object_get(config, "origins"), name, "built-in"));
            rvl_free(text);
        }
    }
    if (!st && s.failed)
        st = no_memory(err);
    if (!st)
        st = rvl_file_write(path, s.ptr, s.n_bytes, err);
    json_decref(config);
    rvl_str_free(&s);
    rvl_free(path);
    return st;
}

rvl_status rvl_run_set_status(rvl_run *run, const char *status, json_t *facts, rvl_error *err)
{
    char  now[32];
    char *path = rvl__run_file(run, "run.json");

    rvl_time_iso(now);
    rvl_json_set(run->record, "status", json_string(status));
    if (strcmp(status, "running") != 0) {
        rvl_json_set(run->record, "ended", json_string(now));
    } else {
        rvl_json_set(run->record, json_object_get(run->record, "started") ? "resumed" : "started", json_string(now));
        json_object_del(run->record, "ended");
    }
    if (facts) {
        json_object_update(run->record, facts);
        json_decref(facts);
    }
    rvl_status st = path ? rvl_json_save(run->record, path, err) : no_memory(err);
    rvl_free(path);
    return st;
}

static rvl_status create(rvl_run *run, const rvl_run_opts *opts, rvl_error *err)
{
    char      *ckpt = rvl__run_file(run, "ckpt");
    rvl_status st = ckpt ? rvl_dir_make(ckpt, err) : no_memory(err);

    rvl_free(ckpt);
    run->record = json_object();
    rvl_json_set(run->record, "schema", json_string("rvl.run/1"));
    rvl_json_set(run->record, "verb", json_string(opts->verb));
    rvl_json_set(run->record, "argv", json_string(opts->argv_text ? opts->argv_text : ""));
    rvl_json_set(run->record, "version", json_string(RVL_VERSION));
    rvl_json_set(run->record, "seed", json_integer((json_int_t)opts->seed));
    rvl_json_set(run->record, "backend", json_string(rvl_backend_text()));
    rvl_json_set(run->record, "ranks", json_integer(1));
    rvl_json_set(run->record, "fingerprint", json_string(opts->fingerprint ? opts->fingerprint : ""));
    if (!st)
        st = write_config(run, opts->config_json, err);
    if (!st)
        st = rvl_run_set_status(run, "running", NULL, err);
    return st;
}

static rvl_status reopen(rvl_run *run, const rvl_run_opts *opts, rvl_error *err)
{
    char      *path = rvl__run_file(run, "run.json");
    rvl_status st = path ? rvl_json_load(&run->record, path, err) : no_memory(err);

    rvl_free(path);
    if (st)
        return st;
    const char *was = rvl_json_get_string(run->record, "fingerprint", "");
    if (opts->fingerprint && strcmp(was, opts->fingerprint) != 0)
        return rvl_fail(
            err, RVL_ERR_STATE,
            "cannot resume run '%s': its data or recipe differ from what was asked (%s, now %s)\nhint: give "
            "the options of %s/config.yaml, or another --name",
            rvl_path_base(run->path), was, opts->fingerprint, run->path);
    st = rvl__run_find_checkpoint(run, opts->resume, err);
    if (!st)
        st = rvl__run_drop_future(run, err);
    if (!st)
        st = rvl__run_trim_log(run, "train.jsonl", err);
    if (!st)
        st = rvl__run_trim_log(run, "eval.jsonl", err);
    if (!st)
        st = rvl_run_set_status(run, "running", NULL, err);
    return st;
}

rvl_status rvl_run_open(rvl_run **out, const rvl_run_opts *opts, rvl_error *err)
{
    char        stamp[32];
    rvl_run    *run = rvl_alloc_array(1, sizeof *run);
    const char *name = opts->name;
    rvl_status  st;

    *out = NULL;
    if (!run)
        return no_memory(err);
    rvl_time_iso(stamp);
    run->path = rvl_path_join(opts->runs ? opts->runs : "runs", name ? name : stamp);
    run->position.best_step = -1;
    char *record = run->path ? rvl__run_file(run, "run.json") : NULL;
    bool  exists = record && rvl_path_exists(record);
    rvl_free(record);
    if (!run->path)
        st = no_memory(err);
    else if (exists && !opts->resume)
        st = rvl_fail(err, RVL_ERR_STATE, "run '%s' exists\nhint: continue it with --resume, or give another --name",
                      run->path);
    else if (!exists && rvl_path_exists(run->path) && !rvl_path_is_dir(run->path))
        st = rvl_fail(err, RVL_ERR_STATE, "cannot make run '%s': a file of that name is in the way", run->path);
    else if (!exists && opts->resume && *opts->resume)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "there is no run '%s' to be resumed", run->path);
    else
        st = exists ? reopen(run, opts, err) : create(run, opts, err);
    if (st) {
        rvl_run_close(run);
        return st;
    }
    *out = run;
    return RVL_OK;
}

void rvl_run_close(rvl_run *run)
{
    if (!run)
        return;
    json_decref(run->record);
    rvl_free(run->resume_dir);
    rvl_free(run->path);
    rvl_free(run);
}

const char *rvl_run_path(const rvl_run *run)
{
    return run->path;
}

const char *rvl_run_resume_from(const rvl_run *run, rvl_run_position *position)
{
    if (run->resume_dir && position)
        *position = run->position;
    return run->resume_dir;
}

rvl_status rvl_run_log(rvl_run *run, const char *file, json_t *record, rvl_error *err)
{
    char      *path = rvl__run_file(run, file);
    char      *text = NULL;
    rvl_status st = path && record ? rvl_json_format(&text, record, 0, err) : no_memory(err);

    json_decref(record);
    if (!st) {
        FILE *f = fopen(path, "a");
        bool  ok = f && fprintf(f, "%s\n", text) > 0;
        int   why = errno;
        if (f && fclose(f) != 0) {
            why = errno;
            ok = false;
        }
        if (!ok)
            st = rvl_fail(err, RVL_ERR_IO, "cannot append to '%s': %s", path, strerror(why));
    }
    rvl_free(text);
    rvl_free(path);
    return st;
}

rvl_status rvl_run_read_log(json_t **out, const rvl_run *run, const char *file, rvl_error *err)
{
    char      *path = rvl__run_file(run, file);
    char      *text = NULL;
    size_t     n = 0;
    rvl_status st = RVL_OK;

    *out = json_array();
    if (!path || !*out)
        st = no_memory(err);
    else if (rvl_path_exists(path))
        st = rvl_file_read(&text, &n, path, 0, err);
    for (size_t at = 0; !st && at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        json_t     *record = NULL;
        rvl_error   ignored = {0};
        if (!end)
            break; /* a line that was being written when the process was killed */
        if (rvl_json_parse(&record, text + at, (size_t)(end - text) - at, file, &ignored) == RVL_OK)
            json_array_append_new(*out, record);
        at = (size_t)(end - text) + 1;
    }
    rvl_free(text);
    rvl_free(path);
    return st;
}

/* Drop records beyond the checkpoint that training continues from. */
rvl_status rvl__run_trim_log(rvl_run *run, const char *file, rvl_error *err)
{
    json_t    *records = NULL;
    rvl_str    s = {0};
    char      *path = rvl__run_file(run, file);
    rvl_status st = rvl_run_read_log(&records, run, file, err);
    size_t     i;
    json_t    *r;

    json_array_foreach(records, i, r)
    {
        char *text = NULL;
        if (st || rvl_json_get_i64(r, "step", 0) > run->position.step)
            continue;
        st = rvl_json_format(&text, r, 0, err);
        rvl_str_addf(&s, "%s\n", text ? text : "");
        rvl_free(text);
    }
    if (!st && (s.failed || !path))
        st = no_memory(err);
    if (!st && rvl_path_exists(path))
        st = rvl_file_write(path, s.ptr ? s.ptr : "", s.n_bytes, err);
    rvl_str_free(&s);
    json_decref(records);
    rvl_free(path);
    return st;
}

rvl_status rvl_run_write_plan(rvl_run *run, const rvl_plan *plan, rvl_error *err)
{
    char      *path = rvl__run_file(run, "plan.json");
    char      *text = NULL;
    rvl_status st = path ? rvl_plan_describe(&text, plan, err) : no_memory(err);

    if (!st)
        st = rvl_file_write(path, text, strlen(text), err);
    rvl_text_free(text);
    rvl_free(path);
    return st;
}
