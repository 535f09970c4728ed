/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/pseudonym.c
 * SHA-256 over salt, kind and identifier, cut to 64 bits. The salt has 256 bits of the system's random numbers, so
 * that lists of likely identifiers cannot be tried without it.
 */
#include "cohort/pseudonym.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SALT_TEXT_BYTES (2 * RVL__SALT_BYTES + 1) /* hex digits and a line's end */

static rvl_status salt_draw(rvl__pseudonyms *out, rvl_error *err)
{
    int     fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out->salt, sizeof out->salt);

    if (fd >= 0)
        close(fd);
    return n == (ssize_t)sizeof out->salt ? RVL_OK : rvl_fail(err, RVL_ERR_IO, "cannot draw a salt: no random numbers");
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False if the file is not whole: another process may be writing it. */
static bool salt_read(rvl__pseudonyms *out, const char *path)
{
    char  *text = NULL;
    size_t n = 0;
    bool   is_ok = rvl_file_read(&text, &n, path, 4096, NULL) == RVL_OK && n == SALT_TEXT_BYTES;

    for (size_t i = 0; is_ok && i < RVL__SALT_BYTES; i++) {
        const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        is_ok = high >= 0 && low >= 0;
        out->salt[i] = (uint8_t)(high * 16 + low);
    }
    rvl_free(text);
    return is_ok;
}

/* EEXIST if it is there already. */
static int salt_write(const rvl__pseudonyms *p, const char *path)
{
    char text[SALT_TEXT_BYTES + 1];
    int  fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    for (size_t i = 0; i < RVL__SALT_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", p->salt[i]);
    text[SALT_TEXT_BYTES - 1] = '\n';
    int why = write(fd, text, SALT_TEXT_BYTES) != SALT_TEXT_BYTES ? (errno ? errno : EIO) : fsync(fd) ? errno : 0;
    close(fd);
    if (why)
        unlink(path);
    return why;
}

rvl_status rvl__pseudonyms_open(rvl__pseudonyms *out, const char *path, rvl_error *err)
{
    struct pollfd nothing = {.fd = -1};
    int           why = EEXIST;

    if (!path || !rvl_path_exists(path)) {
        rvl_status st = salt_draw(out, err);
        if (st || !path)
            return st;
        why = salt_write(out, path);
        if (!why)
            return RVL_OK;
        if (why != EEXIST)
            return rvl_fail(err, RVL_ERR_IO, "cannot write the salt '%s': %s", path, strerror(why));
    }
    for (int i = 0; i < 20; i++) {
        if (salt_read(out, path))
            return RVL_OK;
        poll(&nothing, 1, 10);
    }
    return rvl_fail(err, RVL_ERR_FORMAT,
                    "cannot read the salt '%s': not %d hex digits\nhint: without it identifiers cannot be matched with "
                    "earlier cohorts; remove it to draw a new one",
                    path, 2 * RVL__SALT_BYTES);
}

void rvl__pseudonym(char out[RVL__KEY_BYTES], const rvl__pseudonyms *p, const char *kind, const char *text)
{
    rvl_sha256 sum;
    char       hex[65];

    rvl_sha256_init(&sum);
    rvl_sha256_add(&sum, p->salt, sizeof p->salt);
    rvl_sha256_add(&sum, kind, strlen(kind) + 1);
    rvl_sha256_add(&sum, text, strlen(text));
    rvl_sha256_hex(hex, &sum);
    memcpy(out, hex, RVL__KEY_BYTES - 1);
    out[RVL__KEY_BYTES - 1] = '\0';
}

int64_t rvl__pseudonym_days(const rvl__pseudonyms *p, const char *patient)
{
    char    key[RVL__KEY_BYTES];
    int64_t x = 0;

    rvl__pseudonym(key, p, "days", patient);
    for (int i = 0; i < 8; i++)
        x = x * 16 + digit(key[i]);
    return -1 - x % 3652;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of January. */
static int64_t days_before_year(int64_t year)
{
    const int64_t y = year - 1;

    return 365 * (year - 1970) + (y / 4 - 1969 / 4) - (y / 100 - 1969 / 100) + (y / 400 - 1969 / 400);
}

bool rvl__date_parse(int64_t *out, const char *text)
{
    char      digits[9] = "";
    int       n = 0;
    const int length = (int)strlen(text);

    *out = RVL__NO_DATE;
    if (length != 8 && (length != 10 || text[4] != '-' || text[7] != '-'))
        return false;
    for (int i = 0; i < length; i++) {
        if (length == 10 && (i == 4 || i == 7))
            continue;
        if (text[i] < '0' || text[i] > '9')
            return false;
        digits[n++] = text[i];
    }
    int64_t number = 0;
    if (!rvl_parse_i64(digits, &number))
        return false;
    const int64_t year = number / 10000;
    const int     month = (int)(number / 100 % 100), day = (int)(number % 100);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return false;
    *out = days_before_year(year) + day - 1;
    for (int m = 1; m < month; m++)
        *out += days_of_month(year, m);
    return true;
}

void rvl__date_format(char out[RVL__DATE_BYTES], int64_t days)
{
    int64_t year = 1970 + days / 366;
    int     month = 1;

    out[0] = '\0';
    if (days == RVL__NO_DATE || days < -719162 || days > 2932896) /* years 1 .. 9999 */
        return;
    year = year < 1 ? 1 : year;
    while (days_before_year(year) > days)
        year--;
    while (days_before_year(year + 1) <= days)
        year++;
    int64_t rest = days - days_before_year(year);
    for (; rest >= days_of_month(year, month); month++)
        rest -= days_of_month(year, month);
    char text[48];
    snprintf(text, sizeof text, "%04d-%02d-%02d", (int)year, month, (int)rest + 1);
    memcpy(out, text, RVL__DATE_BYTES - 1);
    out[RVL__DATE_BYTES - 1] = '\0';
}
