# What kernels are compiled for: instruction sets, a row each. The library, the probe of the machine and the tests
# compile theirs by these; what else an addition touches: docs/extending.md.

include(CheckCCompilerFlag)
set(WLSTM_INSTRUCTION_SETS "" CACHE STRING "Instruction sets to compile kernels for, beside baseline (none named: all of them)")

# What arrays hold, for the sources that compute without vectors.
set(number_types f32 f64)

# The bytes of a vector, the products that have kernels of it (src/kernels/product.h), and the compiler's flags. From
# narrow vectors to wide ones; of one width the last that a machine has is taken.
macro(add_instruction_set isa vector_bytes products)
  list(APPEND all_instruction_sets ${isa})
  if(NOT WLSTM_INSTRUCTION_SETS OR "${isa}" IN_LIST WLSTM_INSTRUCTION_SETS OR "${isa}" STREQUAL "baseline")
    list(APPEND instruction_sets ${isa})
  endif()
  set(${isa}_vector_bytes ${vector_bytes})
  set(${isa}_products ${products})
  set(${isa}_flags ${ARGN})
endmacro()

# One that older compilers do not know: they leave it out.
macro(add_if_compiled isa vector_bytes products)
  string(REPLACE ";" " " flags "${ARGN}")
  check_c_compiler_flag("${flags}" has_${isa})
  if(has_${isa})
    add_instruction_set(${isa} ${vector_bytes} "${products}" ${ARGN})
  endif()
endmacro()

set(instruction_sets)
set(all_instruction_sets)
add_instruction_set(baseline 16 "f32;f64;bf16;s8")
if(X86_64)
  add_instruction_set(avx2 32 "f32;f64;bf16;s8" -mavx2 -mfma)
  add_if_compiled(avx2_vnni 32 "s8" -mavx2 -mfma -mavxvnni)
  add_instruction_set(avx512vl 32 "f32;f64" -mavx512f -mavx512vl -mfma -mprefer-vector-width=256)
  add_instruction_set(avx512 64 "f32;f64;bf16" -mavx512f -mfma -mprefer-vector-width=512)
  add_if_compiled(avx512_vnni 64 "s8" -mavx512f -mavx512bw -mavx512vnni -mfma -mprefer-vector-width=512)
  add_if_compiled(avx512_bf16 64 "bf16" -mavx512f -mavx512bf16 -mfma -mprefer-vector-width=512)
  add_if_compiled(amx_bf16 64 "bf16" -mavx512f -mavx512bf16 -mfma -mprefer-vector-width=512 -mamx-tile -mamx-bf16)
  add_if_compiled(amx_int8 64 "s8" -mavx512f -mavx512bw -mavx512vnni -mfma -mprefer-vector-width=512 -mamx-tile -mamx-int8)
endif()
foreach(isa IN LISTS WLSTM_INSTRUCTION_SETS)
  if(NOT isa IN_LIST instruction_sets)
    string(REPLACE ";" ", " known "${all_instruction_sets}")
    message(FATAL_ERROR "WLSTM_INSTRUCTION_SETS: names out of ${known} expected, which this compiler knows for this machine, got ${isa}")
  endif()
endforeach()

# For the kernels, which are written in vectors and multiply-adds. Nothing is vectorized further (clang takes the
# first of the two flags for loops alone); and tuned for a processor of a user's flags, gcc would fuse some
# multiply-adds and not others, and the bits of a row depend on its tile.
set(kernel_flags -ffp-contract=fast -fno-tree-vectorize -fno-tree-slp-vectorize)
if(X86_64 OR CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  list(APPEND kernel_flags -mtune=generic)
endif()

# One instruction set's kernels out of `source`: an object library TABLE_ISA_PRODUCT a product, in which
# `table_macro` is that name. ARGN: more flags. The libraries' names are in `added_kernels`.
function(add_kernels table source table_macro isa products)
  set(added)
  set(optimised -O3)
  if(CMAKE_C_FLAGS MATCHES "fsanitize" AND CMAKE_C_COMPILER_ID STREQUAL "GNU") # a minute each, with a sanitizer
    set(optimised -O1)
  endif()
  foreach(product IN LISTS products)
    set(name ${table}_${isa}_${product})
    add_library(${name} OBJECT ${source})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    target_compile_options(${name} PRIVATE $<$<NOT:$<CONFIG:Debug>>:${optimised}> ${kernel_flags} ${${isa}_flags} ${ARGN})
    target_compile_definitions(${name} PRIVATE WLI_VECTOR_BYTES=${${isa}_vector_bytes} WLI_ISA_NAME="${isa}"
                                               ${table_macro}=${name} WLI_PRODUCT=${product})
    # Of one source two are enough for a sanitizer, and a fuzzer looks for no way through it.
    if(CMAKE_C_FLAGS MATCHES "fsanitize=fuzzer" OR (CMAKE_C_FLAGS MATCHES "fsanitize" AND NOT isa MATCHES "^(baseline|avx2)$"))
      target_compile_options(${name} PRIVATE -fno-sanitize=all)
    endif()
    list(APPEND added ${name})
  endforeach()
  set(added_kernels ${added} PARENT_SCOPE)
endfunction()
