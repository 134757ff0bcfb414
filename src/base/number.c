#include "base/number.h"

#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789";

bool wli_take_integer(const char **text, int64_t lowest, int64_t highest, int64_t *value) {
    const char *digit = *text;
    int64_t parsed = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++)
        if (__builtin_mul_overflow(parsed, 10, &parsed) || __builtin_add_overflow(parsed, *digit - '0', &parsed))
            return false;
    if (digit == *text || parsed < lowest || parsed > highest) return false;
    *value = parsed;
    *text = digit;
    return true;
}

bool wli_parse_integer(const char *text, int64_t lowest, int64_t highest, int64_t *value) {
    int64_t parsed;
    if (!wli_take_integer(&text, lowest, highest, &parsed) || *text != '\0') return false;
    *value = parsed;
    return true;
}

/* Digits with a point anywhere among them, and an exponent. */
static bool is_decimal(const char *text) {
    size_t whole = strspn(text, digits), fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = strspn(++text, digits);
        text += fraction;
    }
    if (whole + fraction == 0) return false;
    if (*text != 'e' && *text != 'E') return *text == '\0';
    text += text[1] == '+' || text[1] == '-' ? 2 : 1;
    const size_t exponent = strspn(text, digits);
    return exponent > 0 && text[exponent] == '\0';
}

/* strtod reads the point of the process's locale, and stops at another: a program that sets one has "0.5" refused, not misread. */
bool wli_parse_real(const char *text, double above, double highest, double *value) {
    char *end;
    if (!is_decimal(text)) return false;
    const double parsed = strtod(text, &end);
    if (*end != '\0' || !(parsed > above && parsed <= highest)) return false;
    *value = parsed;
    return true;
}
