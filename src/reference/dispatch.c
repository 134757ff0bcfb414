#include "reference/backward.h"
#include "reference/forward.h"

extern const wli_reference wli_reference_f32, wli_reference_f64;

const wli_reference *wli_reference_of(const wli_model *model) {
    return wli_dtype_real(model->dtype) == WLSTM_F64 ? &wli_reference_f64 : &wli_reference_f32;
}

wlstm_status wli_reference_backward(const wli_model *model, const wli_call *call, const void *mask,
                                    const wli_gradients *gradients) {
    static wli_backward_function *const functions[] = {
        [WLSTM_F32] = wli_reference_backward_f32, [WLSTM_F64] = wli_reference_backward_f64
    };
    return functions[model->dtype](model, call, mask, gradients);
}
