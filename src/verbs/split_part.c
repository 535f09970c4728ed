/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/split_part.c
 * A split of a cohort with labels and scores.
 */
#include "verbs/split_part.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "measure/bootstrap.h"

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the cases of a split");
}

static rvl_status number_patients(rvl_split_part *p, rvl_error *err)
{
    const int64_t n = p->list.n_cases;
    const char  **ids = rvl_alloc_array((size_t)n + 1, sizeof *ids);
    rvl_status    st = RVL_OK;

    p->patient = rvl_alloc_array((size_t)n + 1, sizeof *p->patient);
    if (!ids || !p->patient)
        st = no_memory(err);
    for (int64_t i = 0; !st && i < n; i++)
        ids[i] = p->list.cases[i].patient_id;
    if (!st)
        st = rvl_number_groups(p->patient, &p->n_patients, ids, n, err);
    rvl_free(ids);
    return st;
}

rvl_status rvl__part_open(rvl_split_part *p, rvl_cohort *c, const char *split, int64_t limit, rvl_error *err)
{
    rvl_status st = rvl_cohort_cases(&p->list, c, split, err);

    if (!st && limit > 0 && limit < p->list.n_cases)
        p->list.n_cases = limit;
    if (!st)
        st = number_patients(p, err);
    return st;
}

void rvl__part_fini(rvl_split_part *p)
{
    rvl_case_list_fini(&p->list);
    rvl_free(p->score);
    rvl_free(p->target);
    rvl_free(p->valid);
    rvl_free(p->truth);
    rvl_free(p->patient);
}

rvl_status rvl__part_labels(rvl_split_part *p, const int *column, int k, rvl_uncertain_policy uncertain,
                            rvl_missing_policy missing, rvl_error *err)
{
    const size_t n = (size_t)p->list.n_cases * (size_t)k + 1;

    if (!p->truth) {
        p->score = rvl_alloc_array(n, sizeof *p->score);
        p->target = rvl_alloc_array(n, sizeof *p->target);
        p->valid = rvl_alloc_array(n, sizeof *p->valid);
        p->truth = rvl_alloc_array(n, sizeof *p->truth);
    }
    if (!p->score || !p->target || !p->valid || !p->truth)
        return no_memory(err);
    for (int64_t i = 0; i < p->list.n_cases; i++) {
        for (int j = 0; j < k; j++) {
            float target = 0;
            float weight = 0;
            if (p->list.cases[i].labels && column[j] >= 0)
                rvl_label_target((rvl_label_state)p->list.cases[i].labels[column[j]], uncertain, missing, &target,
                                 &weight);
            p->target[i * k + j] = (double)target;
            p->truth[i * k + j] = target > 0.5F;
            p->valid[i * k + j] = (double)weight;
        }
    }
    return RVL_OK;
}

rvl_status rvl__part_save(const char *path, const rvl_split_part *p, int k, const char *const *names, rvl_error *err)
{
    rvl_str s = {0};

    rvl_str_add(&s, "case,patient");
    for (int j = 0; j < k; j++)
        rvl_str_addf(&s, ",%s", names[j]);
    for (int64_t i = 0; i < p->list.n_cases; i++) {
        rvl_str_addf(&s, "\n%s,%s", p->list.cases[i].case_id, p->list.cases[i].patient_id);
        for (int j = 0; j < k; j++)
            rvl_str_addf(&s, ",%.9g", p->score[i * k + j]);
    }
    rvl_str_add(&s, "\n");
    rvl_status st = s.failed ? no_memory(err) : rvl_file_write(path, s.ptr, s.n_bytes, err);
    rvl_str_free(&s);
    return st;
}
