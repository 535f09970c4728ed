/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/resolve.c
 * From what a user names to a bundle: a file, a checkpoint folder, or a run with RUN/ckpt/best (a link) and
 * RUN/ckpt/step-NNNNNNNN/, each holding model.safetensors and, once whole, a file DONE.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "model/model.h"
#include <string.h>
#include <unistd.h>

/** The bundle of a complete checkpoint folder, or NULL (absent, incomplete, or no memory). Caller frees. */
static char *checkpoint_bundle(const char *folder)
{
    char *done = rvl_path_join(folder, "DONE");
    char *bundle = rvl_path_join(folder, "model.safetensors");
    bool  whole = done && bundle && rvl_path_exists(done) && rvl_path_exists(bundle);

    rvl_free(done);
    if (!whole) {
        rvl_free(bundle);
        bundle = NULL;
    }
    return bundle;
}

/** ckpt/best; `*which` becomes "best (step-00000120)". */
static char *best_bundle(char **which, const char *ckpt)
{
    char   *best = rvl_path_join(ckpt, "best");
    char   *bundle = best ? checkpoint_bundle(best) : NULL;
    rvl_str text = {0};
    char    target[512];
    ssize_t n = bundle ? readlink(best, target, sizeof target - 1) : -1;

    if (bundle) {
        rvl_str_add(&text, "best");
        if (n > 0) {
            target[n] = '\0';
            rvl_str_addf(&text, " (%s)", rvl_path_base(target));
        }
        *which = rvl_str_take(&text);
    }
    rvl_free(best);
    return bundle;
}

/** The complete ckpt/step-N of the highest N; names are zero-padded, so they sort by step. */
static char *latest_bundle(char **which, const char *ckpt)
{
    rvl_dir_names names = {0};
    char         *bundle = NULL;

    if (rvl_dir_list(&names, ckpt, NULL))
        return NULL;
    for (size_t i = names.n_names; !bundle && i-- > 0;) {
        char *folder;

        if (!rvl_str_starts(names.names[i], "step-"))
            continue;
        folder = rvl_path_join(ckpt, names.names[i]);
        bundle = folder ? checkpoint_bundle(folder) : NULL;
        if (bundle)
            *which = rvl_strdup(names.names[i]);
        rvl_free(folder);
    }
    rvl_dir_names_free(&names);
    return bundle;
}

rvl_status rvl_bundle_resolve(char **path, char **which, const char *run_or_file, rvl_error *err)
{
    char *taken = NULL;
    char *bundle = NULL;
    char *ckpt;

    *path = NULL;
    if (which)
        *which = NULL;
    if (!rvl_path_exists(run_or_file))
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot load the model '%s': no such run folder or file", run_or_file);
    if (!rvl_path_is_dir(run_or_file)) {
        bundle = rvl_strdup(run_or_file);
        taken = rvl_strdup("file");
    } else {
        ckpt = rvl_path_join(run_or_file, "ckpt");
        if (ckpt)
            bundle = best_bundle(&taken, ckpt);
        if (ckpt && !bundle)
            bundle = latest_bundle(&taken, ckpt);
        rvl_free(ckpt);
        if (!bundle && (bundle = checkpoint_bundle(run_or_file)))
            taken = rvl_strdup("checkpoint");
        if (!bundle)
            return rvl_fail(err, RVL_ERR_NOT_FOUND,
                            "cannot load the model '%s': no complete checkpoint in '%s/ckpt'\n"
                            "hint: a checkpoint counts once its file DONE is written; let the run reach its first one",
                            run_or_file, run_or_file);
    }
    if (!bundle || !taken) {
        rvl_free(bundle);
        rvl_free(taken);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot load the model '%s': out of memory", run_or_file);
    }
    *path = bundle;
    if (which)
        *which = taken;
    else
        rvl_free(taken);
    return RVL_OK;
}
