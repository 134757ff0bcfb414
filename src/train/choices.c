#include "train/choices.h"

/* What the rules look at of a tape. */
static wli_tape whole_tape(const wlstm_trainer *trainer) {
    const int64_t T = trainer->max_seq_len, B = trainer->max_batch, K = trainer->recompute_steps;
    return (
        wli_tape){ .call = { .seq_len = T, .batch = B }, .pairs = T * B, .window_steps = K ? wli_smaller(K, T) : T };
}

int wli_whole_threads(const wlstm_trainer *trainer) {
    const wli_tape tape = whole_tape(trainer);
    return wli_worth_threads(trainer, &tape);
}

wli_train_choice wli_rule_for(const wlstm_trainer *trainer, int64_t crews) {
    const wli_tape tape = whole_tape(trainer);
    const int threads = wli_whole_threads(trainer);
    const int64_t B = trainer->max_batch;
    if (crews == 0) crews = wli_rule_crews(trainer, &tape, threads);
    return (wli_train_choice){ crews, crews == 1 ? trainer->max_seq_len : wli_crew_chunk(crews, tape.window_steps, B),
                               wli_deal_for(trainer, B, threads / crews, 0).parts };
}

int64_t wli_most_parts(const wlstm_trainer *trainer, int64_t crews) {
    const int64_t threads = wli_whole_threads(trainer) / crews;
    return wli_smaller(threads / wli_smaller(trainer->model->num_directions, threads), trainer->max_batch);
}

bool wli_train_choice_legal(const wlstm_trainer *trainer, const wli_train_choice *choice) {
    const wli_span crews = wli_possible_crews(trainer, wli_whole_threads(trainer));
    const int64_t fewest_steps = choice->crews > 1 ? 1 : trainer->max_seq_len;
    return choice->crews >= crews.first && choice->crews < crews.end && choice->chunk_steps >= fewest_steps &&
           choice->chunk_steps <= trainer->max_seq_len && choice->parts >= 1 &&
           choice->parts <= wli_most_parts(trainer, choice->crews);
}

bool wli_train_choice_free(const wlstm_trainer *trainer) {
    const wli_span crews = wli_possible_crews(trainer, wli_whole_threads(trainer));
    const int64_t most = crews.end - 1;
    return most > crews.first || wli_most_parts(trainer, crews.first) > 1 || (most > 1 && trainer->max_seq_len > 1);
}
