#include "reference/forward.h"

extern const wli_reference wli_reference_f32, wli_reference_f64;

const wli_reference *wli_reference_of(const wli_model *model) {
    static const wli_reference *const references[] = {
        [WLSTM_F32] = &wli_reference_f32, [WLSTM_F64] = &wli_reference_f64
    };
    return references[model->dtype];
}
