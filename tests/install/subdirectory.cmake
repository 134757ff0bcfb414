# Builds a project that has this tree as a subdirectory, and installs it: of the library nothing must be installed.
#     cmake -D SOURCE=FOLDER -D WAVELSTM=FOLDER -D WORK=FOLDER -D COMPILER=FILE -D FLAGS=TEXT -D VERSION=TEXT
#           -P subdirectory.cmake
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK} -DWAVELSTM=${WAVELSTM} -DWLSTM_ONEDNN=OFF -DCMAKE_BUILD_TYPE=Debug
    -DWLSTM_INSTRUCTION_SETS=baseline -DCMAKE_C_COMPILER=${COMPILER} -DCMAKE_C_FLAGS=${FLAGS})
run(${CMAKE_COMMAND} --build ${WORK} --target consumer -j 2)
run(${WORK}/consumer)
if(NOT output MATCHES "^h_n\\[0\\] = -?0\\.[0-9]+ by wavelstm ${VERSION}\n$")
  message(FATAL_ERROR "the consumer printed: ${output}")
endif()
run(${CMAKE_COMMAND} --install ${WORK} --prefix ${WORK}/prefix)
file(GLOB_RECURSE installed RELATIVE ${WORK}/prefix ${WORK}/prefix/*)
if(NOT installed STREQUAL "bin/consumer")
  message(FATAL_ERROR "bin/consumer alone expected, installed: ${installed}")
endif()
