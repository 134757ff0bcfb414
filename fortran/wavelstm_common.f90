! What the types of module wavelstm have in common: failures, strings, arrays as C takes them.
module wavelstm_common
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: int64, real32, real64
    use wavelstm_c
    implicit none
    private
    public :: wlstm_status_string, wlstm_last_error, wlstm_version, wlstm_build_info, wlstm_set_allocator
    public :: wlstm_plan_cache_load, wlstm_plan_cache_save, wlstm_plan_cache_export, wlstm_plan_cache_import, &
        wlstm_plan_cache_forget
    public :: wlstm_tensor_read, wlstm_tensor_shape
    public :: array, expect, expect_dtype, finish, from_c, get_info, load_options, refuse, to_c, view_f32, view_f64, view_lengths

    ! An array as C takes it; one that is not there has no address.
    type :: array
        type(c_ptr) :: at = c_null_ptr
        integer(int64) :: size = 0
        integer :: dtype = WLSTM_F32
    end type

    ! Any tensor of a model file by its name, into (path, name, values) of any rank and of the tensor's size.
    interface wlstm_tensor_read
        module procedure tensor_read_f32, tensor_read_f64
    end interface

    interface
        pure function strlen(text) bind(c, name="strlen") result(length)
            import :: c_ptr, c_size_t
            type(c_ptr), value :: text
            integer(c_size_t) :: length
        end function
    end interface

    ! What this module found wrong itself, if it was the thread's last failure; else blank.
    character(len=160), save :: own_message = ""
    !$omp threadprivate(own_message)

contains

    ! ------------------------------------------------------------------------------------------ errors, strings

    ! An English phrase for a status.
    function wlstm_status_string(status) result(text)
        integer, intent(in) :: status
        character(len=:), allocatable :: text
        text = from_c(c_status_string(int(status, c_int)))
    end function

    ! The last failure on the calling thread in one sentence, "" before the first.
    function wlstm_last_error() result(text)
        character(len=:), allocatable :: text
        text = trim(own_message)
        if (text == "") text = from_c(c_last_error())
    end function

    ! Of the library that runs: "0.1.0"; version, instruction set and oneDNN's version.
    function wlstm_version() result(text)
        character(len=:), allocatable :: text
        text = from_c(c_version())
    end function

    function wlstm_build_info() result(text)
        character(len=:), allocatable :: text
        text = from_c(c_build_info())
    end function

    ! c_funloc of two bind(c) procedures, or c_null_funptr for malloc and free.
    subroutine wlstm_set_allocator(allocate, deallocate, context, stat)
        type(c_funptr), intent(in) :: allocate, deallocate
        type(c_ptr), intent(in) :: context
        integer, intent(out), optional :: stat
        call finish(c_set_allocator(allocate, deallocate, context), stat)
    end subroutine

    ! The plan cache, as in C. Without a directory it is the user's; without a problem, every one.
    subroutine wlstm_plan_cache_load(directory, stat)
        character(len=*), intent(in), optional :: directory
        integer, intent(out), optional :: stat
        character(len=:, kind=c_char), allocatable, target :: text
        text = to_c(directory)
        call finish(c_plan_cache_load(merge(c_loc(text), c_null_ptr, present(directory))), stat)
    end subroutine

    subroutine wlstm_plan_cache_save(directory, stat)
        character(len=*), intent(in), optional :: directory
        integer, intent(out), optional :: stat
        character(len=:, kind=c_char), allocatable, target :: text
        text = to_c(directory)
        call finish(c_plan_cache_save(merge(c_loc(text), c_null_ptr, present(directory))), stat)
    end subroutine

    subroutine wlstm_plan_cache_export(path, stat)
        character(len=*), intent(in) :: path
        integer, intent(out), optional :: stat
        call finish(c_plan_cache_export(to_c(path)), stat)
    end subroutine

    subroutine wlstm_plan_cache_import(path, stat)
        character(len=*), intent(in) :: path
        integer, intent(out), optional :: stat
        call finish(c_plan_cache_import(to_c(path)), stat)
    end subroutine

    subroutine wlstm_plan_cache_forget(problem, stat)
        character(len=*), intent(in), optional :: problem
        integer, intent(out), optional :: stat
        character(len=:, kind=c_char), allocatable, target :: text
        text = to_c(problem)
        call finish(c_plan_cache_forget(merge(c_loc(text), c_null_ptr, present(problem))), stat)
    end subroutine

    ! How every procedure that can fail ends.
    subroutine finish(status, stat)
        integer(c_int), intent(in) :: status
        integer, intent(out), optional :: stat
        if (status /= WLSTM_OK) own_message = ""
        call conclude(status, stat)
    end subroutine

    subroutine refuse(message, stat)
        character(len=*), intent(in) :: message
        integer, intent(out), optional :: stat
        own_message = message
        call conclude(WLSTM_ERROR_INVALID_ARGUMENT, stat)
    end subroutine

    subroutine conclude(status, stat)
        integer(c_int), intent(in) :: status
        integer, intent(out), optional :: stat
        character(len=:), allocatable :: message
        if (present(stat)) then
            stat = int(status)
        else if (status /= WLSTM_OK) then
            message = "wavelstm: " // wlstm_last_error()
            error stop message
        end if
    end subroutine

    ! What = right, or a message that says what came.
    subroutine expect(message, what, right, got)
        character(len=:), allocatable, intent(inout) :: message
        character(len=*), intent(in) :: what
        integer(int64), intent(in) :: right, got
        character(len=160) :: line
        if (message /= "" .or. right == got) return
        write(line, '(a, ": ", i0, " expected, got ", i0)') what, right, got
        message = trim(line)
    end subroutine

    subroutine expect_dtype(message, what, dtype, got)
        character(len=:), allocatable, intent(inout) :: message
        character(len=*), intent(in) :: what
        integer, intent(in) :: dtype, got
        character(len=6), parameter :: names(0:1) = ["real32", "real64"]
        if (message == "" .and. dtype /= got) message = what // ": " // names(dtype) // " expected, got " // names(got)
    end subroutine

    function from_c(pointer) result(text)
        type(c_ptr), intent(in) :: pointer
        character(len=:), allocatable :: text
        character(kind=c_char), pointer :: letters(:)
        integer :: i
        call c_f_pointer(pointer, letters, [strlen(pointer)])
        allocate(character(len=size(letters)) :: text)
        do i = 1, size(letters)
            text(i:i) = letters(i)
        end do
    end function

    function to_c(text) result(letters)
        character(len=*), intent(in), optional :: text
        character(len=:, kind=c_char), allocatable :: letters
        letters = c_null_char
        if (present(text)) letters = trim(text) // c_null_char
    end function

    ! ---------------------------------------------------------------------------------------------------- arrays

    function view_lengths(a) result(v)
        integer(int64), intent(in), contiguous, target :: a(:)
        type(array) :: v
        v = array(c_loc(a), size(a, kind=int64))
    end function

    ! Name and shape of a parameter of an lstm or a cell, the shape in Fortran's order.
    subroutine get_info(info, handle, index, name, shape, stat)
        procedure(c_lstm_parameter_info) :: info ! or the cell's
        type(c_ptr), intent(in) :: handle
        integer, intent(in) :: index
        character(len=:), allocatable, intent(out) :: name
        integer, allocatable, intent(out) :: shape(:)
        integer, intent(out), optional :: stat
        type(c_ptr) :: c_name
        integer(c_int) :: ndim, status
        integer(c_int64_t) :: c_shape(2)
        status = info(handle, int(index - 1, c_int64_t), c_name, ndim, c_shape)
        if (status == WLSTM_OK) then
            name = from_c(c_name)
            shape = int(c_shape(ndim:1:-1))
        end if
        call finish(status, stat)
    end subroutine

    ! ---------------------------------------------------------------------------------------------- model files

    ! The shape of a tensor of a model file, in Fortran's order: of an nn.Linear's weight (in_features, out_features).
    subroutine wlstm_tensor_shape(path, name, shape, stat)
        character(len=*), intent(in) :: path, name
        integer, allocatable, intent(out) :: shape(:)
        integer, intent(out), optional :: stat
        integer(c_int) :: ndim, status
        integer(c_int64_t) :: c_shape(8)
        status = c_tensor_read(to_c(path), to_c(name), int(WLSTM_F32, c_int), c_null_ptr, 0_c_int64_t, ndim, c_shape)
        if (status == WLSTM_OK) shape = int(c_shape(ndim:1:-1))
        call finish(status, stat)
    end subroutine

    subroutine tensor_read(path, name, values, stat)
        character(len=*), intent(in) :: path, name
        type(array), intent(in) :: values
        integer, intent(out), optional :: stat
        integer(c_int) :: ndim
        integer(c_int64_t) :: shape(8)
        call finish(c_tensor_read(to_c(path), to_c(name), int(values%dtype, c_int), values%at, values%size, ndim, shape), stat)
    end subroutine

    ! prefix and dtype as lstm%load and cell%load take them.
    function load_options(prefix, dtype) result(options)
        type(c_ptr), intent(in) :: prefix
        integer, intent(in), optional :: dtype
        type(wlstm_load_options) :: options
        options%struct_size = c_sizeof(options)
        options%prefix = prefix
        if (.not. present(dtype)) return
        options%convert = 1
        options%dtype = int(dtype, c_int)
    end function

    function view_f32(a) result(v)
        real(real32), intent(in), contiguous, target, optional :: a(..)
        type(array) :: v
        if (present(a)) v = array(c_loc(a), size(a, kind=int64), WLSTM_F32)
    end function

    subroutine tensor_read_f32(path, name, values, stat)
        character(len=*), intent(in) :: path, name
        real(real32), intent(inout), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call tensor_read(path, name, view_f32(values), stat)
    end subroutine

    function view_f64(a) result(v)
        real(real64), intent(in), contiguous, target, optional :: a(..)
        type(array) :: v
        if (present(a)) v = array(c_loc(a), size(a, kind=int64), WLSTM_F64)
    end function

    subroutine tensor_read_f64(path, name, values, stat)
        character(len=*), intent(in) :: path, name
        real(real64), intent(inout), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call tensor_read(path, name, view_f64(values), stat)
    end subroutine
end module wavelstm_common
