/* Sources that are compiled once for each product (kernels/product.h), or for each number type that arrays hold, the name
 * of which is WLI_PRODUCT: f32, f64. */
#ifndef WLI_BASE_PRODUCT_H
#define WLI_BASE_PRODUCT_H

#define WLI_JOINED(a, b) a##_##b
#define WLI_JOINED_EXPANDED(a, b) WLI_JOINED(a, b)
#define WLI_TEXT(text) #text
#define WLI_TEXT_EXPANDED(text) WLI_TEXT(text)

/* name_f32; to include, "stem_f32.h", from the folder of who includes it. */
#define WLI_OF_PRODUCT(name) WLI_JOINED_EXPANDED(name, WLI_PRODUCT)
#define WLI_PRODUCT_HEADER(stem) WLI_TEXT_EXPANDED(WLI_OF_PRODUCT(stem).h)

#endif
