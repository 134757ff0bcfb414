/* The gradients of nn.LSTM in scalar C: what every fast path of training must reproduce. */
#ifndef WLI_BACKWARD_H
#define WLI_BACKWARD_H

#include "model/call.h"

/* Of a loss, by what its name says, each of the same shape and layout as that and of the model's type. */
typedef struct wli_gradients {
    const void *d_out, *d_h_n, *d_c_n; /* given; NULL is zeros */
    void *d_x, *d_h_0, *d_c_0;         /* NULL: not wanted */
    void *d_parameters;                /* all in the model's order, one after another; NULL: not wanted */
} wli_gradients;

/* The gradients where forward was called with the same arguments and the same mask (forward.h): of the call's x, h_0
 * and c_0, T and B at least 1; out, h_n and c_n are not looked at. d_out past a row's end counts for nothing, d_x is
 * zero there. What is wanted is replaced. Sums are kept in double. Errors: OUT_OF_MEMORY. */
typedef wlstm_status wli_backward_function(const wli_model *model, const wli_call *call, const void *mask,
                                           const wli_gradients *gradients);
wli_backward_function wli_reference_backward;

/* For models of one type. */
wli_backward_function wli_reference_backward_f32, wli_reference_backward_f64;

#endif
