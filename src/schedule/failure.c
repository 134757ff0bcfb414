#include "schedule/failure.h"

void wli_failure_keep(wli_failure *failure, wlstm_status status) {
    int none = WLSTM_OK;
    if (status != WLSTM_OK && atomic_compare_exchange_strong(&failure->status, &none, (int)status))
        wli_error_save(failure->text);
}

wlstm_status wli_failure_take(wli_failure *failure) {
    const wlstm_status status = wli_failure_seen(failure);
    if (status != WLSTM_OK) wli_error_restore(failure->text);
    atomic_store_explicit(&failure->status, WLSTM_OK, memory_order_relaxed);
    return status;
}
