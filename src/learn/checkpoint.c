/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/checkpoint.c
 * Checkpoints of a run: write, find, prune.
 *
 * DONE is the last file of a checkpoint to come and the first to go, so a kill never leaves a torn one that counts.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "learn/run_internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *join3(const char *a, const char *b, const char *c)
{
    char *ab = rvl_path_join(a, b);
    char *abc = ab && c ? rvl_path_join(ab, c) : ab;
    if (abc != ab)
        rvl_free(ab);
    return abc;
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a checkpoint");
}

/* Step number of "step-00000120"; -1 for other names. */
static int64_t step_of(const char *name)
{
    int64_t step = -1;
    if (!rvl_str_starts(name, "step-"))
        return -1;
    name += 5;
    while (*name == '0' && name[1])
        name++;
    return rvl_parse_i64(name, &step) ? step : -1;
}

static bool is_complete(const char *ckpt, const char *name)
{
    char *done = join3(ckpt, name, "DONE");
    bool  yes = done && rvl_path_exists(done);
    rvl_free(done);
    return yes;
}

/* Remove one checkpoint of `ckpt`, DONE first. */
static rvl_status drop(const char *ckpt, const char *name, rvl_error *err)
{
    char      *dir = rvl_path_join(ckpt, name);
    char      *done = dir ? rvl_path_join(dir, "DONE") : NULL;
    rvl_status st = done ? RVL_OK : no_memory(err);

    if (!st && unlink(done) != 0 && errno != ENOENT)
        st = rvl_fail(err, RVL_ERR_IO, "cannot remove '%s': %s", done, strerror(errno));
    if (!st)
        st = rvl_dir_remove(dir, err);
    rvl_free(done);
    rvl_free(dir);
    return st;
}

static rvl_status read_position(rvl_run *run, rvl_error *err)
{
    char      *path = rvl_path_join(run->resume_dir, "loader.json");
    json_t    *j = NULL;
    rvl_status st = path ? rvl_json_load(&j, path, err) : no_memory(err);

    if (!st) {
        run->position.step = rvl_json_get_i64(j, "step", -1);
        run->position.epoch = rvl_json_get_i64(j, "epoch", -1);
        run->position.batch = rvl_json_get_i64(j, "batch", -1);
        run->position.best_step = rvl_json_get_i64(j, "best_step", -1);
        run->position.best_value = rvl_json_get_f64(j, "best_value", 0);
        if (run->position.step < 0 || run->position.epoch < 0 || run->position.batch < 0)
            st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' lacks step, epoch or batch", path);
    }
    json_decref(j);
    rvl_free(path);
    return st;
}

rvl_status rvl__run_find_checkpoint(rvl_run *run, const char *which, rvl_error *err)
{
    char         *ckpt = rvl__run_file(run, "ckpt");
    rvl_dir_names names = {0};
    const char   *found = NULL;
    int64_t       wanted = which && *which ? step_of(which) : -1;
    int64_t       best = -1;
    rvl_status    st = ckpt ? RVL_OK : no_memory(err);

    if (!st && which && *which && wanted < 0)
        st = rvl_fail(err, RVL_ERR_USAGE, "--resume takes a step like step-00000120, not '%s'", which);
    if (!st)
        st = rvl_dir_list(&names, ckpt, err);

    for (size_t i = 0; !st && i < names.n_names; i++) {
        int64_t step = step_of(names.names[i]);
        if (step < 0 || !is_complete(ckpt, names.names[i]) || (wanted >= 0 && step != wanted) || step <= best)
            continue;
        best = step;
        found = names.names[i];
    }
    if (!st && which && *which && !found)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "run '%s' has no complete checkpoint '%s'", run->path, which);
    if (!st && found) {
        run->resume_dir = rvl_path_join(ckpt, found);
        st = run->resume_dir ? read_position(run, err) : no_memory(err);
    }
    rvl_dir_names_free(&names);
    rvl_free(ckpt);
    return st;
}

static rvl_status write_files(const char *dir, const rvl_model *m, const rvl_adamw *o, const rvl_run_position *p,
                              rvl_error *err)
{
    char      *model = rvl_path_join(dir, "model.safetensors");
    char      *optimizer = rvl_path_join(dir, "optimizer.safetensors");
    char      *loader = rvl_path_join(dir, "loader.json");
    char      *done = rvl_path_join(dir, "DONE");
    json_t    *j = json_object();
    rvl_status st = model && optimizer && loader && done && j ? RVL_OK : no_memory(err);

    if (!st)
        st = rvl_bundle_save(m, model, err);
    if (!st)
        st = rvl_adamw_save(o, optimizer, err);
    if (!st) {
        rvl_json_set(j, "schema", json_string("rvl.loader/1"));
        rvl_json_set(j, "step", json_integer(p->step));
        rvl_json_set(j, "epoch", json_integer(p->epoch));
        rvl_json_set(j, "batch", json_integer(p->batch));
        rvl_json_set(j, "best_step", json_integer(p->best_step));
        rvl_json_set(j, "best_value", rvl_json_real(p->best_value));
        st = rvl_json_save(j, loader, err);
    }
    if (!st)
        st = rvl_file_write(done, "complete\n", 9, err);
    json_decref(j);
    rvl_free(model);
    rvl_free(optimizer);
    rvl_free(loader);
    rvl_free(done);
    return st;
}

static rvl_status point_best(const char *ckpt, const char *name, rvl_error *err)
{
    char      *link = rvl_path_join(ckpt, "best");
    char      *fresh = rvl_path_join(ckpt, ".best-new");
    rvl_status st = link && fresh ? RVL_OK : no_memory(err);

    if (!st) {
        unlink(fresh); /* left by a kill */
        if (symlink(name, fresh) != 0 || rename(fresh, link) != 0)
            st = rvl_fail(err, RVL_ERR_IO, "cannot point '%s' at '%s': %s", link, name, strerror(errno));
    }
    rvl_free(link);
    rvl_free(fresh);
    return st;
}

static rvl_status prune(const char *ckpt, const rvl_run_position *p, int64_t keep_last, int64_t keep_every,
                        rvl_error *err)
{
    rvl_dir_names names = {0};
    int64_t       n_kept = 0;
    rvl_status    st = rvl_dir_list(&names, ckpt, err);

    for (size_t i = names.n_names; !st && i-- > 0;) { /* names sort by step: newest first */
        int64_t step = step_of(names.names[i]);
        bool    temporary = rvl_str_starts(names.names[i], ".tmp-");
        if (step < 0 && !temporary)
            continue;
        bool keep =
            !temporary && (n_kept < keep_last || step == p->best_step || (keep_every > 0 && step % keep_every == 0));
        n_kept += !temporary;
        if (keep)
            continue;
        st = drop(ckpt, names.names[i], err);
    }
    rvl_dir_names_free(&names);
    return st;
}

/* Make `best` what the checkpoint that training continues from says it is: a kill can come between a checkpoint and
 * its link, and the link may point to a step that is now in the future. */
static rvl_status settle_best(rvl_run *run, const char *ckpt, rvl_error *err)
{
    char       name[32];
    char      *link = rvl_path_join(ckpt, "best");
    rvl_status st = link ? RVL_OK : no_memory(err);

    snprintf(name, sizeof name, "step-%08lld", (long long)run->position.best_step);
    if (!st && run->position.best_step >= 0 && is_complete(ckpt, name)) {
        st = point_best(ckpt, name, err);
    } else if (!st) {
        run->position.best_step = -1;
        if (unlink(link) != 0 && errno != ENOENT)
            st = rvl_fail(err, RVL_ERR_IO, "cannot remove '%s': %s", link, strerror(errno));
    }
    rvl_free(link);
    return st;
}

rvl_status rvl__run_drop_future(rvl_run *run, rvl_error *err)
{
    char         *ckpt = rvl__run_file(run, "ckpt");
    rvl_dir_names names = {0};
    rvl_status    st = ckpt ? rvl_dir_list(&names, ckpt, err) : no_memory(err);

    for (size_t i = 0; !st && i < names.n_names; i++)
        if (step_of(names.names[i]) > run->position.step)
            st = drop(ckpt, names.names[i], err);
    if (!st)
        st = settle_best(run, ckpt, err);
    rvl_dir_names_free(&names);
    rvl_free(ckpt);
    return st;
}

rvl_status rvl_run_checkpoint(rvl_run *run, const rvl_model *m, const rvl_adamw *o, const rvl_run_position *position,
                              bool is_best, int64_t keep_last, int64_t keep_every, rvl_error *err)
{
    char       name[32];
    char       temporary[48];
    char      *ckpt = rvl__run_file(run, "ckpt");
    char      *from = NULL;
    char      *to = NULL;
    rvl_status st = ckpt ? RVL_OK : no_memory(err);

    snprintf(name, sizeof name, "step-%08lld", (long long)position->step);
    snprintf(temporary, sizeof temporary, ".tmp-%s", name);
    if (!st) {
        from = rvl_path_join(ckpt, temporary);
        to = rvl_path_join(ckpt, name);
        st = from && to ? rvl_dir_remove(from, err) : no_memory(err);
    }
    if (!st)
        st = rvl_dir_make(from, err);
    if (!st)
        st = write_files(from, m, o, position, err);
    if (!st)
        st = drop(ckpt, name, err); /* the same step again: interrupted where it had just been saved */
    if (!st)
        st = rvl_path_rename(from, to, err);
    if (!st && is_best)
        st = point_best(ckpt, name, err);
    if (!st)
        st = prune(ckpt, position, keep_last < 1 ? 1 : keep_last, keep_every, err);
    rvl_free(from);
    rvl_free(to);
    rvl_free(ckpt);
    return st;
}
