#include <navette/date.h>

#include <stdio.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

/* Days since 1970 of a date of the Gregorian calendar. Years begin in March here, so that the leap
 * day comes last (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

/* Its inverse, by search down from a year that is never too early. */
static void date_of(int64_t days, int *year, int *month, int *day)
{
    *year = (int)(days * 400 / 146097) + 1971;
    while (days_of(*year, 1, 1) > days)
        --*year;
    *month = 12;
    while (days_of(*year, *month, 1) > days)
        --*month;
    *day = (int)(days - days_of(*year, *month, 1)) + 1;
}

void date_write(char out[DATE_BYTES + 1], uint64_t ms)
{
    char text[80];
    int year, month, day, rest;

    if (ms > DATE_MS_MAX)
        ms = DATE_MS_MAX;
    rest = (int)(ms % DAY_MS);
    date_of((int64_t)(ms / DAY_MS), &year, &month, &day);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
             rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
    memcpy(out, text, DATE_BYTES + 1);
}

/* The number of n digits from `at`, nonsense if they are none. */
static int64_t number(struct slice text, size_t at, size_t n)
{
    int64_t v = 0;

    for (size_t i = at; i < at + n; i++)
        v = v * 10 + text.p[i] - '0';
    return v;
}

/* Taken as it stands, then written again and compared: so every character of it is checked. */
bool date_read(uint64_t *ms, struct slice text)
{
    char again[DATE_BYTES + 1];
    int64_t month, v;

    *ms = 0;
    if (text.n != DATE_BYTES)
        return false;
    month = number(text, 5, 2);
    if (month < 1 || month > 12)
        return false;
    v = days_of(number(text, 0, 4), month, number(text, 8, 2)) * DAY_MS;
    v += number(text, 11, 2) * 3600000 + number(text, 14, 2) * 60000;
    v += number(text, 17, 2) * 1000 + number(text, 20, 3);
    if (v < 0 || v > (int64_t)DATE_MS_MAX)
        return false;
    date_write(again, (uint64_t)v);
    if (memcmp(again, text.p, DATE_BYTES) != 0)
        return false;
    *ms = (uint64_t)v;
    return true;
}
