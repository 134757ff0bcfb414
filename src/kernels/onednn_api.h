/* What oneDNN 2.6 and 3.x spell differently, as one: f32 memory descriptors, and descriptors of primitives. */
#ifndef WLI_ONEDNN_API_H
#define WLI_ONEDNN_API_H

#include <dnnl.h>

#if DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_OMP && DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_SEQ
#error "wavelstm needs a oneDNN built for OpenMP or without threads"
#endif

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t descriptor; /* a handle to be destroyed */
static inline void descriptor_destroy(descriptor *d) {
    if (*d) dnnl_memory_desc_destroy(*d);
    *d = NULL;
}
static inline dnnl_status_t describe(descriptor *d, int ndims, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(d, ndims, dims, dnnl_f32, tag);
}
static inline dnnl_status_t describe_strided(descriptor *d, const dnnl_dims_t dims, const dnnl_dims_t strides) {
    return dnnl_memory_desc_create_with_strides(d, 2, dims, dnnl_f32, strides);
}
static inline dnnl_status_t query_descriptor(const_dnnl_primitive_desc_t pd, dnnl_query_t what, descriptor *d) {
    return dnnl_memory_desc_clone(d, dnnl_primitive_desc_query_md(pd, what, 0));
}
static inline size_t descriptor_bytes(const descriptor *d) {
    return dnnl_memory_desc_get_size(*d);
}
static inline dnnl_status_t make_memory(dnnl_memory_t *memory, const descriptor *d, dnnl_engine_t engine, void *data) {
    return dnnl_memory_create(memory, *d, engine, data);
}
static inline dnnl_status_t make_reorder(dnnl_primitive_desc_t *pd, const descriptor *from, const descriptor *to,
                                         dnnl_engine_t engine) {
    return dnnl_reorder_primitive_desc_create(pd, *from, engine, *to, engine, NULL);
}
static inline dnnl_status_t make_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const descriptor *src,
                                        const descriptor *weights, const descriptor *bias, const descriptor *dst,
                                        const_dnnl_primitive_attr_t attributes) {
    return dnnl_matmul_primitive_desc_create(pd, engine, *src, *weights, bias ? *bias : NULL, *dst, attributes);
}
static inline dnnl_status_t make_inner_product(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const descriptor *src,
                                               const descriptor *weights, const descriptor *bias, const descriptor *dst,
                                               const_dnnl_primitive_attr_t attributes) {
    return dnnl_inner_product_forward_primitive_desc_create(pd, engine, dnnl_forward_inference, *src, *weights,
                                                            bias ? *bias : NULL, *dst, attributes);
}
static inline dnnl_status_t append_sum(dnnl_post_ops_t post_ops) {
    return dnnl_post_ops_append_sum(post_ops, 1.0f, 0, dnnl_f32);
}
#else
typedef dnnl_memory_desc_t descriptor; /* a struct by value */
static inline void descriptor_destroy(descriptor *d) {
    (void)d;
}
static inline dnnl_status_t describe(descriptor *d, int ndims, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(d, ndims, dims, dnnl_f32, tag);
}
static inline dnnl_status_t describe_strided(descriptor *d, const dnnl_dims_t dims, const dnnl_dims_t strides) {
    return dnnl_memory_desc_init_by_strides(d, 2, dims, dnnl_f32, strides);
}
static inline dnnl_status_t query_descriptor(const_dnnl_primitive_desc_t pd, dnnl_query_t what, descriptor *d) {
    *d = *dnnl_primitive_desc_query_md(pd, what, 0);
    return dnnl_success;
}
static inline size_t descriptor_bytes(const descriptor *d) {
    return dnnl_memory_desc_get_size(d);
}
static inline dnnl_status_t make_memory(dnnl_memory_t *memory, const descriptor *d, dnnl_engine_t engine, void *data) {
    return dnnl_memory_create(memory, d, engine, data);
}
static inline dnnl_status_t make_reorder(dnnl_primitive_desc_t *pd, const descriptor *from, const descriptor *to,
                                         dnnl_engine_t engine) {
    return dnnl_reorder_primitive_desc_create(pd, from, engine, to, engine, NULL);
}
static inline dnnl_status_t make_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const descriptor *src,
                                        const descriptor *weights, const descriptor *bias, const descriptor *dst,
                                        const_dnnl_primitive_attr_t attributes) {
    dnnl_matmul_desc_t matmul;
    dnnl_status_t status = dnnl_matmul_desc_init(&matmul, src, weights, bias, dst);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &matmul, attributes, engine, NULL) : status;
}
static inline dnnl_status_t make_inner_product(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const descriptor *src,
                                               const descriptor *weights, const descriptor *bias, const descriptor *dst,
                                               const_dnnl_primitive_attr_t attributes) {
    dnnl_inner_product_desc_t inner_product;
    dnnl_status_t status =
        dnnl_inner_product_forward_desc_init(&inner_product, dnnl_forward_inference, src, weights, bias, dst);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &inner_product, attributes, engine, NULL) : status;
}
static inline dnnl_status_t append_sum(dnnl_post_ops_t post_ops) {
    return dnnl_post_ops_append_sum(post_ops, 1.0f);
}
#endif

#endif
