#include "train/crews.h"

#include "base/processor_caches.h"

/* A product of few rows costs what so many more would, as its weights are read for them; from beyond the L2, more. */
enum { FEW_ROWS = 4, FAR_ROWS = 16 };

int64_t wli_most_crews(const wlstm_trainer *trainer) {
    const wli_model *model = trainer->model;
    if (model->num_directions == 2 || trainer->schedule == WLSTM_SCHEDULE_SERIAL) return 1;
    return wli_smaller(model->num_layers, trainer->threads);
}

wli_span wli_possible_crews(const wlstm_trainer *trainer, int64_t threads) {
    const int64_t most = wli_smaller(wli_most_crews(trainer), threads);
    const bool named = trainer->schedule > WLSTM_SCHEDULE_SERIAL && most > 1;
    return (wli_span){ named ? 2 : 1, most + 1 };
}

int64_t wli_crew_chunk(int64_t crews, int64_t steps, int64_t batch) {
    /* The last crew begins after crews - 1 chunks of `batch` rows by both products a step and the weights read for one
     * of them; each chunk reads the other's. Together least when there are so many chunks that both cost the same. */
    int64_t chunk = 1;
    if (crews == 1) return steps;
    while (chunk * chunk * (crews - 1) * (2 * batch + FEW_ROWS) < FEW_ROWS * steps) chunk++;
    return chunk;
}

double wli_crew_steps(int64_t crews, int64_t chunk_steps, int64_t steps) {
    return (double)steps + (double)(crews - 1) * (double)wli_smaller(chunk_steps, steps);
}

int64_t wli_chunk_for(const wli_hand *hand, int64_t steps) {
    const wli_train_choice *choice = &hand->trainer->choice;
    return hand->crews > 1 && hand->crews == choice->crews && wli_tape_is_chosen(hand->trainer, hand->tape)
               ? choice->chunk_steps
               : wli_crew_chunk(hand->crews, steps, hand->tape->call.batch);
}

/* Multiply-adds of a pair in a layer. */
static double layer_work(const wlstm_trainer *trainer, int64_t layer) {
    const wli_train_cell *cell = wli_trainer_cell(trainer, layer, 0);
    return (double)(4 * cell->H * (cell->I + cell->R) + cell->P * cell->H);
}

/* A walk over the crews, from the lowest. */
typedef struct walk {
    int64_t threads, crews, crew;
    wli_span layers;    /* of the crew */
    double before, all; /* work of the layers below their end, of all */
} walk;

static walk walk_of(const wlstm_trainer *trainer, int64_t threads, int64_t crews) {
    walk at = { .threads = threads, .crews = crews, .crew = -1 };
    for (int64_t layer = 0; layer < trainer->model->num_layers; layer++) at.all += layer_work(trainer, layer);
    return at;
}

static void next_crew(const wlstm_trainer *trainer, walk *at) {
    const int64_t threads_end = wli_span_of(at->threads, ++at->crew, at->crews).end;
    const double target = at->all * (double)threads_end / (double)at->threads;
    const int64_t most = trainer->model->num_layers - (at->crews - 1 - at->crew); /* each above has one */
    wli_span *own = &at->layers;
    own->first = own->end;
    do at->before += layer_work(trainer, own->end++);
    while (own->end < most && at->before + layer_work(trainer, own->end) / 2 <= target);
}

wli_span wli_crew_layers(const wlstm_trainer *trainer, int64_t threads, int64_t crew, int64_t crews) {
    walk at = walk_of(trainer, threads, crews);
    while (at.crew < crew) next_crew(trainer, &at);
    return at.layers;
}

/* Whether a thread's L2 keeps the weights of the layers from one chunk to the next. */
static bool keeps_weights(const wlstm_trainer *trainer, int64_t threads, wli_span layers) {
    double values = 0;
    for (int64_t layer = layers.first; layer < layers.end; layer++) values += layer_work(trainer, layer);
    return values * (double)trainer->element <= (double)(threads * wli_cache_sizes()[1]);
}

/* What a pass forward and a pass back cost the crew of so many threads in the layers, in multiply-adds. A step's calls
 * cost what makes a thread worth while in it; a meeting three times as much, and of many threads more, as all take one
 * line in turn. Each chunk reads weights again. The gradients of the parameters wait for nobody, the rest for the crews
 * before. */
static double crew_cost(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads, wli_span layers,
                        int64_t crews) {
    const int64_t T = tape->call.seq_len, B = tape->call.batch;
    const int64_t chunk = wli_crew_chunk(crews, T, B), chunks = crews == 1 ? 0 : (T + chunk - 1) / chunk;
    const wli_deal deal = wli_deal_for(trainer, B, threads, 0);
    const double rows = (double)B / (double)deal.parts + FEW_ROWS, shares = (double)deal.shares;
    const double calls = (double)trainer->step_work, meeting = shares > 1 ? 3 * calls * (0.5 + shares / 4) : 0;
    const bool kept = keeps_weights(trainer, threads, layers);
    double chained = 0, sums = 0;
    for (int64_t layer = layers.first; layer < layers.end; layer++) {
        const wli_train_cell *cell = wli_trainer_cell(trainer, layer, 0);
        const double input = (double)(4 * cell->H * cell->I);
        const double step = (double)(4 * cell->H * cell->R + cell->P * cell->H);
        chained += 2 * (double)T * (rows * step / shares + calls + 2 * meeting);
        const double again = kept ? FEW_ROWS * input : FAR_ROWS * (input + step);
        chained += 2 * ((double)tape->pairs * input + (double)chunks * again) / (double)threads;
        sums += (double)tape->pairs * (input + step) / (double)threads;
    }
    return chained * (crews == 1 ? 1 : 1 + (double)(crews - 1) / (double)chunks) + sums;
}

int64_t wli_rule_crews(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads) {
    const wli_span possible = wli_possible_crews(trainer, threads);
    double least = 0;
    int64_t best = 0;
    for (int64_t crews = possible.first; crews < possible.end; crews++) {
        double cost = 0; /* the dearest crew's */
        for (walk at = walk_of(trainer, threads, crews); at.crew + 1 < crews;) {
            next_crew(trainer, &at);
            const wli_span own = wli_span_of(threads, at.crew, crews);
            const double of_crew = crew_cost(trainer, tape, own.end - own.first, at.layers, crews);
            cost = of_crew > cost ? of_crew : cost;
        }
        if (best == 0 || cost < least) best = crews, least = cost;
    }
    return best;
}

int64_t wli_crews_for(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads) {
    if (!wli_tape_is_chosen(trainer, tape)) return wli_rule_crews(trainer, tape, threads);
    return wli_smaller(trainer->choice.crews, wli_possible_crews(trainer, threads).end - 1);
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

static void await(const wli_hand *hand, const wli_counter *counter, int64_t least) {
    if (!hand->alone) wli_counter_wait(counter, least);
}

void wli_await_below(const wli_hand *hand, int64_t number) {
    const wli_crew *crews = hand->trainer->shared.crews;
    if (hand->crew > 0) await(hand, &crews[hand->crew - 1].forward, number + 1);
}

void wli_tell_above(const wli_hand *hand, int64_t number) {
    if (hand->crew + 1 == hand->crews) return;
    wli_meet_crew(hand);
    tell(hand, &hand->trainer->shared.crews[hand->crew].forward, number);
}

void wli_await_neighbours(const wli_hand *hand, int64_t number) {
    const wli_crew *crews = hand->trainer->shared.crews;
    if (hand->crew + 1 < hand->crews) await(hand, &crews[hand->crew + 1].backward, number + 1);
    if (hand->crew > 0) await(hand, &crews[hand->crew - 1].backward, number - 1);
}

void wli_tell_neighbours(const wli_hand *hand, int64_t number) {
    tell(hand, &hand->trainer->shared.crews[hand->crew].backward, number);
}
