#include "train/crews.h"

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t wli_most_crews(const wlstm_trainer *trainer) {
    const wli_model *model = trainer->model;
    if (model->num_directions == 2 || trainer->schedule == WLSTM_SCHEDULE_SERIAL) return 1;
    return smaller(model->num_layers, trainer->threads);
}

int64_t wli_crew_chunk(int64_t crews, int64_t steps) {
    /* The last crew begins after crews - 1 chunks, and each chunk costs about what a step does: together least when
     * there are sqrt((crews - 1) * steps) chunks. */
    int64_t chunk = 1;
    if (crews == 1) return steps;
    while (chunk * chunk * (crews - 1) < steps) chunk++;
    return chunk;
}

/* Multiply-adds of a pair in a layer. */
static double layer_work(const wlstm_trainer *trainer, int64_t layer) {
    const wli_train_cell *cell = wli_trainer_cell(trainer, layer, 0);
    return (double)(4 * cell->H * (cell->I + cell->R) + cell->P * cell->H);
}

wli_span wli_crew_layers(const wlstm_trainer *trainer, int64_t threads, int64_t crew, int64_t crews) {
    const int64_t L = trainer->model->num_layers;
    double all = 0, before = 0;
    for (int64_t layer = 0; layer < L; layer++) all += layer_work(trainer, layer);
    wli_span own = { 0, 0 };
    for (int64_t c = 0; c <= crew; c++) {
        const double target = all * (double)wli_span_of(threads, c, crews).end / (double)threads;
        const int64_t most = L - (crews - 1 - c); /* each above has one */
        own.first = own.end;
        do before += layer_work(trainer, own.end++);
        while (own.end < most && before + layer_work(trainer, own.end) / 2 <= target);
    }
    return own;
}

/* What a pass forward and a pass back cost the crew of so many threads in the layers, in multiply-adds: a product of few
 * rows costs what some more would, as its weights are read for them; a meeting what some would. The gradients of the
 * parameters wait for nobody, the rest for the crews before. */
static double crew_cost(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads, wli_span layers,
                        int64_t crews) {
    const double few = 4, meeting = 4096;
    const int64_t T = tape->call.seq_len, B = tape->call.batch;
    const int64_t chunk = wli_crew_chunk(crews, T), chunks = crews == 1 ? 0 : (T + chunk - 1) / chunk;
    const wli_deal deal = wli_deal_for(trainer, B, threads, 0);
    double chained = 0, sums = 0;
    for (int64_t layer = layers.first; layer < layers.end; layer++) {
        const wli_train_cell *cell = wli_trainer_cell(trainer, layer, 0);
        const double input = (double)(4 * cell->H * cell->I),
                     step = (double)(4 * cell->H * cell->R + cell->P * cell->H);
        const double rows = (double)B / (double)deal.parts + few;
        chained += 2 * (double)T * (rows * step / (double)deal.shares + (deal.shares > 1 ? 2 * meeting : 0));
        chained += 2 * ((double)tape->pairs + (double)chunks * few) * input / (double)threads;
        sums += (double)tape->pairs * (input + step) / (double)threads;
    }
    return chained * (crews == 1 ? 1 : 1 + (double)(crews - 1) / (double)chunks) + sums;
}

int64_t wli_crews_for(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads) {
    const int64_t most = smaller(wli_most_crews(trainer), threads);
    const bool named = trainer->schedule > WLSTM_SCHEDULE_SERIAL && most > 1;
    double least = 0;
    int64_t best = 0;
    for (int64_t crews = named ? 2 : 1; crews <= most; crews++) {
        double cost = 0;
        for (int64_t crew = 0; crew < crews; crew++) {
            const wli_span own = wli_span_of(threads, crew, crews);
            const double of_crew =
                crew_cost(trainer, tape, own.end - own.first, wli_crew_layers(trainer, threads, crew, crews), crews);
            cost = of_crew > cost ? of_crew : cost;
        }
        if (best == 0 || cost < least) best = crews, least = cost;
    }
    return best;
}

void wli_crews_reset(wlstm_trainer *trainer) {
    for (int64_t i = 0; i < wli_most_crews(trainer); i++) {
        atomic_store(&trainer->shared.crews[i].forward.value, 0);
        atomic_store(&trainer->shared.crews[i].backward.value, 0);
    }
}

/* The crew has met, so one may speak for all. */
static void tell(const wli_hand *hand, wli_counter *counter, int64_t number) {
    if (hand->me == 0) atomic_store_explicit(&counter->value, number + 1, memory_order_release);
}

void wli_await_below(const wli_hand *hand, int64_t number) {
    const wli_crew *crews = hand->trainer->shared.crews;
    if (hand->crew > 0) wli_counter_wait(&crews[hand->crew - 1].forward, number + 1);
}

void wli_tell_above(const wli_hand *hand, int64_t number) {
    if (hand->crew + 1 == hand->crews) return;
    wli_meet_crew(hand);
    tell(hand, &hand->trainer->shared.crews[hand->crew].forward, number);
}

void wli_await_neighbours(const wli_hand *hand, int64_t number) {
    const wli_crew *crews = hand->trainer->shared.crews;
    if (hand->crew + 1 < hand->crews) wli_counter_wait(&crews[hand->crew + 1].backward, number + 1);
    if (hand->crew > 0) wli_counter_wait(&crews[hand->crew - 1].backward, number - 1);
}

void wli_tell_neighbours(const wli_hand *hand, int64_t number) {
    tell(hand, &hand->trainer->shared.crews[hand->crew].backward, number);
}
