# run(COMMAND ARGUMENT...): its output in `output`; a failure ends the script and shows what was printed.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE printed ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGV}: exit ${result}\n${printed}\n${errors}")
  endif()
  set(output "${printed}" PARENT_SCOPE)
endfunction()
