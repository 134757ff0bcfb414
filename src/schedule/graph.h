/* The graph of a sequence's items: which there are and what each waits for. Everything that decides who runs which
 * item when walks this one graph: OpenMP's tasks, the gangs, the simulated threads of wlstm-bench, the tests' random
 * order.
 *
 * A node is one (layer, direction, part, chunk); those of one (layer, direction, part) are a chain. Nodes of chunks
 * that begin after the longest row of a part's end are not there. */
#ifndef WLI_GRAPH_H
#define WLI_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

typedef struct wli_graph {
    int64_t layers, parts, chunk_steps;
    int directions;
    const int64_t *lengths; /* [parts] of the longest row of each part, descending */
} wli_graph;

typedef struct wli_node {
    int64_t layer;
    int direction;
    int64_t part, chunk;
} wli_node;

/* Orders in which every node comes after those it waits for. With two directions both are layer by layer. */
typedef enum wli_order {
    WLI_BY_CHUNK, /* a chunk through all layers while it is warm */
    WLI_BY_FRONT  /* layer l's chunk k beside layer l+1's chunk k-1 */
} wli_order;

enum { WLI_MOST_NEEDED = 3 };

/* How many chunks a part has. */
int64_t wli_graph_chunks(const wli_graph *graph, int64_t part);

/* *node becomes the first node, the next one; false after the last. */
bool wli_graph_first(const wli_graph *graph, wli_node *node);
bool wli_graph_next(const wli_graph *graph, wli_order order, wli_node *node);

/* The nodes that must be done first, and how many they are. Done means that those before them in their chains are
 * done too. */
int wli_graph_needed(const wli_graph *graph, const wli_node *node, wli_node needed[WLI_MOST_NEEDED]);

/* Numbers the chains of a graph from 0. */
static inline int64_t wli_graph_chain(const wli_graph *graph, const wli_node *node) {
    return (node->layer * graph->directions + node->direction) * graph->parts + node->part;
}

static inline int64_t wli_graph_chains(const wli_graph *graph) {
    return graph->layers * graph->directions * graph->parts;
}

#endif
