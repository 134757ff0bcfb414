#include "model/dropout_mask.h"

void wli_dropout_row(const wli_dropout *dropout, wli_dropout_place at, wlstm_dtype dtype, int64_t first, int64_t end,
                     void *values) {
    const uint64_t threshold = wli_dropout_threshold(dropout);
    const double scale = wli_dropout_kept(dropout);
    for (int64_t unit = first; unit < end; unit += 4) {
        const wli_philox_words words = wli_philox(wli_dropout_counter(at, unit), dropout->seed);
        const int64_t count = end - unit < 4 ? end - unit : 4;
        for (int64_t k = 0; k < count; k++) {
            const double factor = words.at[k] < threshold ? 0 : scale;
            if (dtype == WLSTM_F64)
                ((double *)values)[unit + k] *= factor;
            else
                ((float *)values)[unit + k] *= (float)factor;
        }
    }
}
