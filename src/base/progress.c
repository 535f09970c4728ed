/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/progress.c
 * One running task: a bar on a terminal, plain lines or JSON elsewhere.
 *
 * "ingest  412/1200 series  34%  8.1/s  eta 1m37s  errors 3"
 */
#include "base/log.h"
#include "base/stderr_line.h"
#include "base/util.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define BAR_DELAY_S 1.0
#define BAR_STEP_S 0.2
#define LINE_STEP_S 30.0

static pthread_mutex_t   lock = PTHREAD_MUTEX_INITIALIZER;
static rvl_progress_mode wanted_mode = RVL_PROGRESS_AUTO;

static struct {
    bool              running;
    rvl_progress_mode mode;
    char              verb[32], unit[32];
    int64_t           n_total, n_done, n_errors;
    double            start_s, shown_s; /* shown_s: last output, or the start */
} task;

void rvl_progress_set_mode(rvl_progress_mode mode)
{
    pthread_mutex_lock(&lock);
    wanted_mode = mode;
    pthread_mutex_unlock(&lock);
}

void rvl_progress_begin(const char *verb, const char *unit, int64_t n_total)
{
    pthread_mutex_lock(&lock);
    task.running = true;
    task.mode = wanted_mode;
    if (task.mode == RVL_PROGRESS_AUTO)
        task.mode = isatty(STDERR_FILENO) ? RVL_PROGRESS_BAR : RVL_PROGRESS_PLAIN;
    (void)snprintf(task.verb, sizeof task.verb, "%s", verb);
    (void)snprintf(task.unit, sizeof task.unit, "%s", unit);
    task.n_total = n_total;
    task.n_done = task.n_errors = 0;
    task.start_s = task.shown_s = rvl_clock_s();
    pthread_mutex_unlock(&lock);
}

static void eta_format(char *out, size_t n_out, double seconds)
{
    int64_t s = (int64_t)llround(seconds);

    if (s < 60)
        (void)snprintf(out, n_out, "  eta %llds", (long long)s);
    else if (s < 3600)
        (void)snprintf(out, n_out, "  eta %lldm%02llds", (long long)(s / 60), (long long)(s % 60));
    else
        (void)snprintf(out, n_out, "  eta %lldh%02lldm", (long long)(s / 3600), (long long)(s / 60 % 60));
}

static void line_show(double now_s)
{
    char    line[512], total[32] = "", percent[16] = "", eta[48] = "", errors[32] = "";
    double  elapsed_s = now_s - task.start_s;
    double  rate = elapsed_s > 0 ? (double)task.n_done / elapsed_s : 0;
    int64_t n_left = task.n_total - task.n_done;

    if (task.mode == RVL_PROGRESS_JSON) {
        (void)snprintf(line, sizeof line,
                       "{\"progress\":\"%s\",\"unit\":\"%s\",\"done\":%lld,\"total\":%lld,\"errors\":%lld,"
                       "\"elapsed_s\":%.1f}",
                       task.verb, task.unit, (long long)task.n_done, (long long)task.n_total, (long long)task.n_errors,
                       elapsed_s);
        rvl__stderr_line(line);
        return;
    }
    if (task.n_total > 0) {
        (void)snprintf(total, sizeof total, "/%lld", (long long)task.n_total);
        (void)snprintf(percent, sizeof percent, "  %lld%%", (long long)(task.n_done * 100 / task.n_total));
        if (rate > 0 && n_left > 0)
            eta_format(eta, sizeof eta, (double)n_left / rate);
    }
    if (task.n_errors)
        (void)snprintf(errors, sizeof errors, "  errors %lld", (long long)task.n_errors);
    (void)snprintf(line, sizeof line, "%s  %lld%s %s%s  %.*f/s%s%s", task.verb, (long long)task.n_done, total,
                   task.unit, percent, rate < 100 ? 1 : 0, rate, eta, errors);
    if (task.mode == RVL_PROGRESS_BAR)
        rvl__stderr_bar(line);
    else
        rvl__stderr_line(line);
}

void rvl_progress_update(int64_t n_done, int64_t n_errors)
{
    pthread_mutex_lock(&lock);
    task.n_done = n_done;
    task.n_errors = n_errors;
    double now_s = rvl_clock_s();
    double step_s = task.mode == RVL_PROGRESS_BAR ? BAR_STEP_S : LINE_STEP_S;
    bool   early = task.mode == RVL_PROGRESS_BAR && now_s - task.start_s < BAR_DELAY_S;
    if (task.running && task.mode != RVL_PROGRESS_NONE && !early && now_s - task.shown_s >= step_s) {
        line_show(now_s);
        task.shown_s = now_s;
    }
    pthread_mutex_unlock(&lock);
}

void rvl_progress_end(void)
{
    pthread_mutex_lock(&lock);
    if (task.running && task.mode == RVL_PROGRESS_BAR)
        rvl__stderr_bar(NULL);
    else if (task.running &&
             (task.mode == RVL_PROGRESS_JSON || (task.mode == RVL_PROGRESS_PLAIN && task.shown_s > task.start_s)))
        line_show(rvl_clock_s());
    task.running = false;
    pthread_mutex_unlock(&lock);
}
