# Builds and runs a project outside this tree against an installed wavelstm.
#     cmake -D SOURCE=FOLDER -D WORK=FOLDER -D PREFIX=FOLDER -D PROGRAM=NAME [-D EXPECT=REGEX] [-D "LAUNCHER=mpirun -n 2"]
#           [-D "ARGUMENTS=..."] [-D "OPTIONS=-DA=B ..."] -P consumer.cmake
# SOURCE holds a CMakeLists.txt that finds wavelstm and makes PROGRAM, whose output must match EXPECT. WORK is made anew.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
separate_arguments(launcher UNIX_COMMAND "${LAUNCHER}")
separate_arguments(arguments UNIX_COMMAND "${ARGUMENTS}")
separate_arguments(options UNIX_COMMAND "${OPTIONS}")
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK} -DCMAKE_PREFIX_PATH=${PREFIX} -DCMAKE_BUILD_TYPE=Release ${options})
file(STRINGS ${WORK}/CMakeCache.txt found REGEX "^wavelstm_DIR:PATH=")
string(FIND "${found}" "wavelstm_DIR:PATH=${PREFIX}/" at)
if(NOT at EQUAL 0)
  message(FATAL_ERROR "wavelstm below ${PREFIX} expected, found: ${found}")
endif()
run(${CMAKE_COMMAND} --build ${WORK})
run(${launcher} ${WORK}/${PROGRAM} ${arguments})
if(DEFINED EXPECT AND NOT output MATCHES "${EXPECT}")
  message(FATAL_ERROR "${PROGRAM}: output that matches ${EXPECT} expected, got:\n${output}")
endif()
message(STATUS "${PROGRAM}: ${output}")
