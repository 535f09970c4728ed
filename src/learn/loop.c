/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/loop.c
 * The training loop.
 */
#include "learn/loop.h"
#include "base/json.h"
#include "base/log.h"
#include "base/util.h"
#include "learn/schedule.h"
#include <math.h>
#include <stdio.h>

typedef struct {
    const rvl_task      *task;
    const rvl_model     *m;
    rvl_adamw           *o;
    rvl_loader          *loader;
    rvl_run             *run;
    const rvl_loop_opts *opts;
    bool                 has_plan; /* plan.json was written */
    rvl_run_position     at;
    int64_t              n_batches, n_steps;
    double               loss, grad_norm, lr; /* of the last step */
    double               loss_sum;            /* since the last log line */
    int64_t              loss_n;
    double               started, log_started;
} loop;

static rvl_status bad_numbers(loop *l, rvl_error *err)
{
    rvl_status  st = l->task->find_nonfinite(l->task->self, err);
    const char *grad = rvl_adamw_nonfinite(l->o);

    if (st == RVL_OK)
        st = rvl_fail(err, RVL_ERR_NUMERIC, "%s is not finite", grad ? grad : "the loss");
    return st;
}

/* The step failed: its statistics are dropped, the message says where training stood. */
static rvl_status failed_step(loop *l, rvl_status st, rvl_error *err)
{
    rvl_state_discard(l->m->state);
    rvl_error_prefix(err, "step %lld of epoch %lld", (long long)l->at.step, (long long)l->at.epoch);
    return st;
}

static rvl_status one_step(loop *l, rvl_error *err)
{
    rvl_batch  batch;
    rvl_status st = rvl_loader_next(l->loader, &batch, err);

    if (st)
        return st;
    rvl_adamw_zero_grad(l->o);
    st = l->task->step(l->task->self, &batch, l->at.step, &l->loss, err);
    if (!st) {
        l->grad_norm = rvl_adamw_grad_norm(l->o);
        if (!isfinite(l->loss) || !isfinite(l->grad_norm))
            st = bad_numbers(l, err);
    }
    if (st)
        return failed_step(l, st, err);
    double scale = l->opts->clip_grad > 0 && l->grad_norm > l->opts->clip_grad ? l->opts->clip_grad / l->grad_norm : 1;
    l->lr = rvl_schedule_lr(l->opts->lr, l->opts->lr_min, l->opts->warmup, l->at.step, l->n_steps);
    rvl_adamw_step(l->o, l->lr, scale);
    rvl_state_commit(l->m->state);
    l->loss_sum += l->loss;
    l->loss_n++;
    l->at.step++;
    if (++l->at.batch == l->n_batches) {
        l->at.batch = 0;
        l->at.epoch++;
    }
    return RVL_OK;
}

/* "lr_<group>": what the groups of the optimizer make of the rate. */
static void log_rates(json_t *r, const loop *l)
{
    for (int i = 0; i < rvl_adamw_n_groups(l->o); i++) {
        const rvl_adamw_group *group = rvl_adamw_used_group(l->o, i);
        char                   key[32];
        if (!group || !group->name)
            continue;
        snprintf(key, sizeof key, "lr_%s", group->name);
        rvl_json_set(r, key, rvl_json_real(l->lr * group->lr_scale));
    }
}

static rvl_status write_plan(loop *l, rvl_error *err)
{
    const rvl_plan *plan = l->task->plan ? l->task->plan(l->task->self) : NULL;

    l->has_plan = plan != NULL;
    return plan ? rvl_run_write_plan(l->run, plan, err) : RVL_OK;
}

static rvl_status log_step(loop *l, rvl_error *err)
{
    double  now = rvl_clock_s();
    double  step_s = (now - l->log_started) / (double)l->loss_n;
    double  loss = l->loss_sum / (double)l->loss_n;
    json_t *r = json_object();

    rvl_json_set(r, "step", json_integer(l->at.step));
    rvl_json_set(r, "epoch", rvl_json_real((double)l->at.step / (double)l->n_batches));
    rvl_json_set(r, "loss", rvl_json_real(loss));
    rvl_json_set(r, "grad_norm", rvl_json_real(l->grad_norm));
    rvl_json_set(r, "lr", rvl_json_real(l->lr));
    log_rates(r, l);
    rvl_json_set(r, "step_ms", rvl_json_real(1000 * step_s));
    rvl_json_set(r, "peak_mib", rvl_json_real((double)rvl_memory_peak_bytes() / 1048576.0));
    rvl_log(RVL_LOG_INFO, "step %lld/%lld ep %.2f | loss %.4f | gnorm %.3f | lr %.2e | %.0f ms | mem %.2f GiB",
            (long long)l->at.step, (long long)l->n_steps, (double)l->at.step / (double)l->n_batches, loss, l->grad_norm,
            l->lr, 1000 * step_s, (double)rvl_memory_peak_bytes() / 1073741824.0);
    l->loss_sum = 0;
    l->loss_n = 0;
    l->log_started = now;
    return rvl_run_log(l->run, "train.jsonl", r, err);
}

static rvl_status save(loop *l, bool is_best, rvl_error *err)
{
    return rvl_run_checkpoint(l->run, l->m, l->o, &l->at, is_best, l->opts->keep_last, l->opts->keep_every, err);
}

/* At the end of an epoch, or of the run: evaluate when due, then save. */
static rvl_status end_epoch(loop *l, rvl_error *err)
{
    bool    is_last = l->at.step == l->n_steps;
    bool    is_due = l->opts->has_validation && (is_last || l->at.epoch % l->opts->eval_every == 0);
    bool    is_best = false;
    json_t *metrics = NULL;
    double  value = 0;

    if (is_due) {
        rvl_status st = l->task->evaluate(l->task->self, &metrics, &value, err);
        if (st)
            return st;
        is_best = isfinite(value) && (l->at.best_step < 0 || value > l->at.best_value);
        if (is_best) {
            l->at.best_value = value;
            l->at.best_step = l->at.step;
        }
        rvl_json_set(metrics, "step", json_integer(l->at.step));
        rvl_json_set(metrics, "epoch", json_integer(l->at.epoch));
        rvl_json_set(metrics, "value", rvl_json_real(value));
        rvl_log(RVL_LOG_INFO, "epoch %lld/%lld | %s %.4f%s", (long long)l->at.epoch,
                (long long)((l->n_steps + l->n_batches - 1) / l->n_batches), l->task->metric, value,
                is_best ? " (best)" : "");
        st = rvl_run_log(l->run, "eval.jsonl", metrics, err);
        if (st)
            return st;
    }
    return save(l, is_best, err);
}

static rvl_status begin(loop *l, rvl_error *err)
{
    l->n_batches = rvl_loader_n_batches(l->loader);
    l->n_steps = l->opts->n_steps > 0 ? l->opts->n_steps : l->n_batches * l->opts->n_epochs;
    l->at = (rvl_run_position){.best_step = -1};
    if (rvl_run_resume_from(l->run, &l->at))
        rvl_log(RVL_LOG_INFO, "continuing at step %lld of %lld", (long long)l->at.step, (long long)l->n_steps);
    l->started = l->log_started = rvl_clock_s();
    return rvl_loader_seek(l->loader, l->at.epoch, l->at.batch, err);
}

static rvl_status run_steps(loop *l, rvl_error *err)
{
    rvl_status st = begin(l, err);

    while (!st && l->at.step < l->n_steps) {
        st = one_step(l, err);
        if (st)
            break;
        if (l->at.step % l->opts->log_every == 0 || l->at.step == l->n_steps)
            st = log_step(l, err);
        if (!st && (!l->has_plan || l->at.step == l->n_steps)) /* at the end with the seconds of the whole run */
            st = write_plan(l, err);
        bool ended = l->at.batch == 0 || l->at.step == l->n_steps;
        if (!st && ended)
            st = end_epoch(l, err);
        else if (!st && l->opts->save_every > 0 && l->at.step % l->opts->save_every == 0)
            st = save(l, false, err);
        if (!st && rvl_cancel_requested() && l->at.step < l->n_steps) {
            if (!ended)
                st = save(l, false, err);
            if (!st)
                st = rvl_fail(err, RVL_ERR_CANCELLED,
                              "interrupted at step %lld of %lld, state saved\nhint: continue with "
                              "--resume",
                              (long long)l->at.step, (long long)l->n_steps);
        }
    }
    return st;
}

rvl_status rvl_loop_run(rvl_loop_result *out, const rvl_task *task, const rvl_model *m, rvl_adamw *o,
                        rvl_loader *loader, rvl_run *run, const rvl_loop_opts *opts, rvl_error *err)
{
    loop       l = {.task = task, .m = m, .o = o, .loader = loader, .run = run, .opts = opts, .loss = NAN};
    rvl_error  ignored = {0};
    rvl_status st = run_steps(&l, err);

    *out = (rvl_loop_result){.n_steps = l.at.step,
                             .n_epochs = l.at.epoch,
                             .best_step = l.at.best_step,
                             .best_value = l.at.best_value,
                             .last_loss = l.loss,
                             .seconds = rvl_clock_s() - l.started};
    json_t *facts = json_object();
    rvl_json_set(facts, "steps", json_integer(l.at.step));
    rvl_json_set(facts, "best_step", json_integer(l.at.best_step));
    rvl_json_set(facts, "metric", json_string(task->metric));
    rvl_json_set(facts, "best_value", l.at.best_step < 0 ? json_null() : rvl_json_real(l.at.best_value));
    rvl_json_set(facts, "seconds_since_start", rvl_json_real(out->seconds));
    rvl_status st2 = rvl_run_set_status(run,
                                        !st                       ? "done"
                                        : st == RVL_ERR_CANCELLED ? "interrupted"
                                                                  : "failed",
                                        facts, st ? &ignored : err);
    return st ? st : st2;
}
