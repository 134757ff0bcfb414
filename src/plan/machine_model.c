#include "plan/machine_model.h"

#include "plan/cache.h"

wli_machine_model wli_machine_model_guess(int threads) {
    return (wli_machine_model){ wli_rates_guess(1), wli_rates_guess(threads) };
}

wli_machine_model wli_machine_model_get(int threads) {
    wli_machine_model machine;
    if (!wli_cache_rates(threads, &machine.one, &machine.all)) machine = wli_machine_model_guess(threads);
    if (machine.all.threads < threads) machine.all = wli_rates_guess(threads);
    return machine;
}
