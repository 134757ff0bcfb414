/* Products of two rows as the reference rounds them against an independent model's
 * (tests/golden/data/rounded/products.txt, made by make_rounded.py): scales bit for bit, integer sums exactly. The
 * directory of the data is the first argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "reference/operand.h"

enum { MOST = 2 * WLI_INT8_BLOCK + 5, LINE_LENGTH = 512 };

static const char *data_directory;
static float w[MOST], x[MOST];

typedef struct product {
    char name[32], special[16], sums[128];
    int64_t n;
    int w_exponent, x_exponent;
    double w_scale, x_scale, bf16_sum;
} product;

static bool parse_product(const char *line, product *p) {
    char numbers[3][64];
    long long n;
    if (sscanf(line, "%31s %lld %d %d %15s %63s %63s %127s %63s", p->name, &n, &p->w_exponent, &p->x_exponent,
               p->special, numbers[0], numbers[1], p->sums, numbers[2]) != 9)
        return false;
    p->n = n, p->w_scale = strtod(numbers[0], NULL), p->x_scale = strtod(numbers[1], NULL);
    p->bf16_sum = strtod(numbers[2], NULL);
    return n >= 1 && n <= MOST;
}

static void fill(const product *p, const char *row, float *values, int exponent) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", p->name, row);
    random_fill(WLSTM_F32, values, p->n, random_seed_of(path), exponent);
}

static bool is_special(const product *p, const char *name) {
    return strcmp(p->special, name) == 0;
}

/* As make_rounded.py's product_rows(). */
static void make_rows(const product *p) {
    const float least = 0x1p-120f;
    fill(p, "w", w, p->w_exponent);
    fill(p, "x", x, p->x_exponent);
    for (int64_t k = 0; k < p->n; k++) {
        const float at = (float)k;
        if (is_special(p, "ones")) w[k] = 1, x[k] = -1;
        if (is_special(p, "ties")) w[k] = at / 2 - (float)(p->n - 1) / 4, x[k] = 1 + at / 256;
        if (is_special(p, "smallest") || is_special(p, "below")) x[k] *= 0;
    }
    if (is_special(p, "ties")) w[0] = -127, w[p->n - 1] = 127;
    if (is_special(p, "smallest")) x[4] = -least;
    if (is_special(p, "below")) x[4] = -nextafterf(least, 0);
    if (is_special(p, "largest")) x[2] = FLT_MAX;
    if (is_special(p, "nan")) x[3] = NAN;
    if (is_special(p, "infinite")) x[3] = -INFINITY;
}

static void check_same(const product *p, const char *what, double got, double expected) {
    if ((isnan(got) && isnan(expected)) || got == expected) return;
    fail_msg("%s: %s: %a expected, got %a", p->name, what, expected, got);
}

/* The sums, and G = fma((float)sum, x_scale * w_scale, G) over them. */
static void check_int8(const product *p) {
    const wli_int8_scale of_w = wli_int8_scale_of(w, p->n), of_x = wli_int8_scale_of(x, p->n);
    const char *text = p->sums;
    float g = 0.5f;
    check_same(p, "w's scale", (double)of_w.scale, p->w_scale);
    check_same(p, "x's scale", (double)of_x.scale, p->x_scale);
    for (int64_t k = 0; k < p->n; k += WLI_INT8_BLOCK) {
        const int64_t block = p->n - k < WLI_INT8_BLOCK ? p->n - k : WLI_INT8_BLOCK;
        const long expected = strtol(text, (char **)(uintptr_t)&text, 10);
        if (*text == ',') text++;
        const int32_t sum = wli_int8_sum(w + k, of_w, x + k, of_x, block);
        if (sum != expected) fail_msg("%s: sum from %d on: %ld expected, got %d", p->name, (int)k, expected, (int)sum);
        g = fmaf((float)expected, (float)p->x_scale * (float)p->w_scale, g);
    }
    assert_int_equal(*text, '\0');
    check_same(p, "int8", wli_multiply_add(WLSTM_PRECISION_INT8, w, x, p->n, 0.5), (double)g);
}

static void check_bf16(const product *p) {
    const double got = wli_multiply_add(WLSTM_PRECISION_BF16, w, x, p->n, 0.0);
    double magnitudes = 0;
    for (int64_t k = 0; k < p->n; k++) magnitudes += fabs((double)w[k] * (double)x[k]);
    if (fabs(got - p->bf16_sum) <= (double)p->n * DBL_EPSILON * magnitudes) return;
    check_same(p, "bf16", got, p->bf16_sum);
}

static void products_are_the_models(void **state) {
    char line[LINE_LENGTH];
    int products = 0;
    (void)state;
    snprintf(line, sizeof line, "%s/products.txt", data_directory);
    FILE *file = fopen(line, "r");
    if (!file) fail_msg("%s: cannot be opened", line);
    while (fgets(line, sizeof line, file)) {
        product p;
        if (line[0] == '#') continue;
        if (!parse_product(line, &p)) fail_msg("not a product: %s", line);
        make_rows(&p);
        check_int8(&p);
        check_bf16(&p);
        products++;
    }
    fclose(file);
    assert_true(products >= 10);
}

/* Each bfloat16 is itself, but for its denormals, and the middle of two is the even one. */
static void bf16_rounds_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t high = 0; high < 0x10000; high++) {
        const uint32_t bits[] = { high << 16, high << 16 | 0x8000, high << 16 | 0x7fff, high << 16 | 0x8001 };
        for (int k = 0; k < 4; k++) {
            float value, rounded;
            uint32_t got;
            memcpy(&value, &bits[k], sizeof value);
            rounded = wli_bf16_round(value);
            memcpy(&got, &rounded, sizeof got);
            if (isnan(value)) {
                assert_true(isnan(rounded));
                continue;
            }
            const bool up = k == 3 || (k == 1 && high % 2 == 1);
            const uint32_t expected = isinf(value) || isnormal(value) ? (high + up) << 16 : (high & 0x8000) << 16;
            assert_int_equal(got, expected);
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_the_models),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
    };
    if (argc < 2) return fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]), 2;
    data_directory = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
