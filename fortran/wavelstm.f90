! wavelstm for Fortran 2018: PyTorch's nn.LSTM and nn.LSTMCell on CPUs.
!
!     use wavelstm
!     type(wlstm_lstm) :: lstm
!     real :: x(100, 3, 10), out(20, 3, 10)                       ! (input_size, batch, seq_len), (hidden_size, batch, seq_len)
!     call lstm%create(input_size=100, hidden_size=20, num_layers=4)  ! or: call lstm%load("model.safetensors")
!     call lstm%forward(x, out)
!
! Each procedure does what the C function of its name does; wavelstm.h gives errors, costs and thread-safety. What differs:
!
! - Arrays are C's with the dimensions in reverse order, the same memory: x(I,B,T) is C's x [T][B][I]. Nothing is copied where the
!   actual argument is contiguous; of a strided section the compiler makes a copy. real32 or real64, as the parameters' dtype.
! - Sizes are taken from the arrays' shapes and checked.
! - h and c, where given, hold h_0 and c_0 on entry and h_n and c_n on return; where not, the initial states are zeros.
! - A failure sets `stat` to a status (WLSTM_OK is 0) if it is there, and stops the program with the message if it is not.
!   wlstm_last_error() returns the message.
! - An lstm, a cell, a plan, a trainer, streams free what it holds when it goes out of scope, by %free(), or when it is created or loaded anew. It
!   cannot be copied: `a = b` stops the program. Hand it on by reference, or as an allocatable by move_alloc.
module wavelstm
    use wavelstm_c, only: WLSTM_OK, WLSTM_ERROR_INVALID_ARGUMENT, WLSTM_ERROR_OUT_OF_MEMORY, WLSTM_ERROR_FILE, &
        WLSTM_ERROR_FORMAT, WLSTM_ERROR_MISSING, WLSTM_ERROR_UNSUPPORTED, WLSTM_ERROR_BACKEND
    use wavelstm_c, only: WLSTM_F32, WLSTM_F64, WLSTM_BF16
    use wavelstm_c, only: WLSTM_BACKEND_AUTO, WLSTM_BACKEND_REFERENCE, WLSTM_BACKEND_ONEDNN, WLSTM_BACKEND_NATIVE
    use wavelstm_c, only: WLSTM_EFFORT_DEFAULT, WLSTM_EFFORT_ESTIMATE, WLSTM_EFFORT_MEASURE, WLSTM_EFFORT_PATIENT
    use wavelstm_c, only: WLSTM_SCHEDULE_AUTO, WLSTM_SCHEDULE_SERIAL, WLSTM_SCHEDULE_WAVEFRONT, WLSTM_SCHEDULE_GANGS
    use wavelstm_c, only: WLSTM_PRECISION_DEFAULT, WLSTM_PRECISION_FULL, WLSTM_PRECISION_BF16, WLSTM_PRECISION_INT8
    use wavelstm_c, only: WLSTM_OPTIMIZER_SGD, WLSTM_OPTIMIZER_ADAM, WLSTM_OPTIMIZER_ADAMW
    use wavelstm_cell, only: wlstm_cell
    use wavelstm_common, only: wlstm_status_string, wlstm_last_error, wlstm_version, wlstm_build_info, wlstm_set_allocator
    use wavelstm_common, only: wlstm_tensor_read, wlstm_tensor_shape
    use wavelstm_common, only: wlstm_plan_cache_load, wlstm_plan_cache_save, wlstm_plan_cache_export, wlstm_plan_cache_import, &
        wlstm_plan_cache_export_text, wlstm_plan_cache_import_text, wlstm_plan_cache_forget
    use wavelstm_lstm, only: wlstm_lstm, wlstm_plan
    use wavelstm_streams, only: wlstm_streams
    use wavelstm_trainer, only: wlstm_trainer
    implicit none
    public
end module wavelstm
