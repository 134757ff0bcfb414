! Of module wavelstm: nn.LSTMCell.
module wavelstm_cell
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: int64, real32, real64
    use wavelstm_c
    use wavelstm_common, only: array, expect, expect_dtype, finish, get_info, load_options, refuse, to_c, view_f32, &
        view_f64
    implicit none
    private
    public :: wlstm_cell

    ! nn.LSTMCell
    type :: wlstm_cell
        private
        type(c_ptr) :: handle = c_null_ptr
        integer(int64) :: input_size = 0, hidden_size = 0
        integer :: dtype = WLSTM_F32
    contains
        procedure :: c_handle => cell_c_handle                   ! the C handle, still owned
        procedure :: create => cell_create                       ! (input_size, hidden_size, bias, dtype)
        procedure :: load => cell_load                           ! (path, prefix, dtype)
        procedure :: save => cell_save                           ! (path, prefix)
        procedure :: free => cell_free
        procedure :: get_config => cell_get_config               ! (input_size, hidden_size, bias, dtype), those wanted
        procedure :: reset_parameters => cell_reset_parameters   ! (seed)
        procedure :: num_parameters => cell_num_parameters
        procedure :: parameter_info => cell_parameter_info       ! (index from 1, name, shape)
        generic :: set_parameter => cell_set_parameter_f32, cell_set_parameter_f64 ! (name, values)
        generic :: get_parameter => cell_get_parameter_f32, cell_get_parameter_f64 ! (name, values)
        ! (x, h, c): x(I,B); h(H,B) and c(H,B) are replaced. Without a batch: x(I), h(H), c(H).
        generic :: forward => cell_forward_f32, cell_forward_f64, cell_forward_row_f32, cell_forward_row_f64
        procedure, private :: cell_set_parameter_f32, cell_set_parameter_f64, cell_get_parameter_f32, cell_get_parameter_f64
        procedure, private :: cell_forward_f32, cell_forward_f64, cell_forward_row_f32, cell_forward_row_f64, cell_copy
        generic :: assignment(=) => cell_copy
        final :: cell_finalize
    end type

contains

    subroutine cell_create(self, input_size, hidden_size, bias, dtype, stat)
        class(wlstm_cell), intent(inout) :: self
        integer, intent(in) :: input_size, hidden_size
        logical, intent(in), optional :: bias
        integer, intent(in), optional :: dtype
        integer, intent(out), optional :: stat
        type(wlstm_cell_config) :: config
        integer(c_int) :: status
        config%struct_size = c_sizeof(config)
        config%input_size = input_size
        config%hidden_size = hidden_size
        if (present(bias)) config%bias = merge(1, 0, bias)
        if (present(dtype)) config%dtype = int(dtype, c_int)
        call self%free()
        status = c_cell_create(config, self%handle)
        call cell_ready(self, status, stat)
    end subroutine

    ! dtype: to convert the file's parameters to.
    subroutine cell_load(self, path, prefix, dtype, stat)
        class(wlstm_cell), intent(inout) :: self
        character(len=*), intent(in) :: path
        character(len=*), intent(in), optional :: prefix
        integer, intent(in), optional :: dtype
        integer, intent(out), optional :: stat
        character(len=:, kind=c_char), allocatable, target :: c_prefix
        integer(c_int) :: status
        c_prefix = to_c(prefix)
        call self%free()
        status = c_cell_load(to_c(path), load_options(c_loc(c_prefix), dtype), self%handle)
        call cell_ready(self, status, stat)
    end subroutine

    ! After a handle was made.
    subroutine cell_ready(self, status, stat)
        type(wlstm_cell), intent(inout) :: self
        integer(c_int), intent(in) :: status
        integer, intent(out), optional :: stat
        type(wlstm_cell_config) :: config
        integer :: found
        if (status == WLSTM_OK) then
            config%struct_size = c_sizeof(config)
            found = int(c_cell_get_config(self%handle, config))
            self%input_size = config%input_size
            self%hidden_size = config%hidden_size
            self%dtype = int(config%dtype)
        end if
        call finish(status, stat)
    end subroutine

    ! For the C functions; still owned.
    function cell_c_handle(self) result(handle)
        class(wlstm_cell), intent(in) :: self
        type(c_ptr) :: handle
        handle = self%handle
    end function

    subroutine cell_save(self, path, prefix, stat)
        class(wlstm_cell), intent(in) :: self
        character(len=*), intent(in) :: path
        character(len=*), intent(in), optional :: prefix
        integer, intent(out), optional :: stat
        call finish(c_cell_save(self%handle, to_c(path), to_c(prefix)), stat)
    end subroutine

    subroutine cell_free(self)
        class(wlstm_cell), intent(inout) :: self
        call c_cell_free(self%handle)
        self%handle = c_null_ptr
    end subroutine

    impure elemental subroutine cell_finalize(self)
        type(wlstm_cell), intent(inout) :: self
        call self%free()
    end subroutine

    subroutine cell_copy(to, from)
        class(wlstm_cell), intent(inout) :: to
        type(wlstm_cell), intent(in) :: from
        if (.not. c_associated(to%handle, from%handle)) error stop "wavelstm: a cell cannot be copied"
    end subroutine

    subroutine cell_get_config(self, input_size, hidden_size, bias, dtype, stat)
        class(wlstm_cell), intent(in) :: self
        integer, intent(out), optional :: input_size, hidden_size, dtype
        logical, intent(out), optional :: bias
        integer, intent(out), optional :: stat
        type(wlstm_cell_config) :: config
        integer(c_int) :: status
        config%struct_size = c_sizeof(config)
        status = c_cell_get_config(self%handle, config)
        if (present(input_size)) input_size = int(config%input_size)
        if (present(hidden_size)) hidden_size = int(config%hidden_size)
        if (present(bias)) bias = config%bias /= 0
        if (present(dtype)) dtype = int(config%dtype)
        call finish(status, stat)
    end subroutine

    subroutine cell_reset_parameters(self, seed, stat)
        class(wlstm_cell), intent(inout) :: self
        integer(int64), intent(in) :: seed
        integer, intent(out), optional :: stat
        call finish(c_cell_reset_parameters(self%handle, seed), stat)
    end subroutine

    integer function cell_num_parameters(self) result(count)
        class(wlstm_cell), intent(in) :: self
        count = int(c_cell_num_parameters(self%handle))
    end function

    subroutine cell_parameter_info(self, index, name, shape, stat)
        class(wlstm_cell), intent(in) :: self
        integer, intent(in) :: index
        character(len=:), allocatable, intent(out) :: name
        integer, allocatable, intent(out) :: shape(:)
        integer, intent(out), optional :: stat
        call get_info(c_cell_parameter_info, self%handle, index, name, shape, stat)
    end subroutine

    subroutine cell_set(self, name, values, stat)
        class(wlstm_cell), intent(inout) :: self
        character(len=*), intent(in) :: name
        type(array), intent(in) :: values
        integer, intent(out), optional :: stat
        character(len=:), allocatable :: message
        message = ""
        call expect_dtype(message, "values", self%dtype, values%dtype)
        if (message /= "") then
            call refuse(message, stat)
        else
            call finish(c_cell_set_parameter(self%handle, to_c(name), values%at, values%size), stat)
        end if
    end subroutine

    subroutine cell_get(self, name, values, stat)
        class(wlstm_cell), intent(in) :: self
        character(len=*), intent(in) :: name
        type(array), intent(in) :: values
        integer, intent(out), optional :: stat
        character(len=:), allocatable :: message
        message = ""
        call expect_dtype(message, "values", self%dtype, values%dtype)
        if (message /= "") then
            call refuse(message, stat)
        else
            call finish(c_cell_get_parameter(self%handle, to_c(name), values%at, values%size), stat)
        end if
    end subroutine

    subroutine cell_step(self, x, x_shape, h, c, stat)
        class(wlstm_cell), intent(inout) :: self
        type(array), intent(in) :: x, h, c
        integer(int64), intent(in) :: x_shape(2)
        integer, intent(out), optional :: stat
        character(len=:), allocatable :: message
        message = ""
        call expect_dtype(message, "x", self%dtype, x%dtype)
        call expect(message, "x: dimension 1", self%input_size, x_shape(1))
        call expect(message, "h: size", self%hidden_size * x_shape(2), h%size)
        call expect(message, "c: size", self%hidden_size * x_shape(2), c%size)
        if (message /= "" .and. c_associated(self%handle)) then ! C has the word on a handle that is not there
            call refuse(message, stat)
        else
            call finish(c_cell_forward(self%handle, x_shape(2), x%at, h%at, c%at, h%at, c%at), stat)
        end if
    end subroutine

    subroutine cell_set_parameter_f32(self, name, values, stat)
        class(wlstm_cell), intent(inout) :: self
        character(len=*), intent(in) :: name
        real(real32), intent(in), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call cell_set(self, name, view_f32(values), stat)
    end subroutine

    subroutine cell_get_parameter_f32(self, name, values, stat)
        class(wlstm_cell), intent(in) :: self
        character(len=*), intent(in) :: name
        real(real32), intent(inout), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call cell_get(self, name, view_f32(values), stat)
    end subroutine

    subroutine cell_forward_f32(self, x, h, c, stat)
        class(wlstm_cell), intent(inout) :: self
        real(real32), intent(in), contiguous, target :: x(:,:)
        real(real32), intent(inout), contiguous, target :: h(:,:), c(:,:)
        integer, intent(out), optional :: stat
        call cell_step(self, view_f32(x), shape(x, int64), view_f32(h), view_f32(c), stat)
    end subroutine

    subroutine cell_forward_row_f32(self, x, h, c, stat)
        class(wlstm_cell), intent(inout) :: self
        real(real32), intent(in), contiguous, target :: x(:)
        real(real32), intent(inout), contiguous, target :: h(:), c(:)
        integer, intent(out), optional :: stat
        call cell_step(self, view_f32(x), [size(x, kind=int64), 1_int64], view_f32(h), view_f32(c), stat)
    end subroutine

    subroutine cell_set_parameter_f64(self, name, values, stat)
        class(wlstm_cell), intent(inout) :: self
        character(len=*), intent(in) :: name
        real(real64), intent(in), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call cell_set(self, name, view_f64(values), stat)
    end subroutine

    subroutine cell_get_parameter_f64(self, name, values, stat)
        class(wlstm_cell), intent(in) :: self
        character(len=*), intent(in) :: name
        real(real64), intent(inout), contiguous, target :: values(..)
        integer, intent(out), optional :: stat
        call cell_get(self, name, view_f64(values), stat)
    end subroutine

    subroutine cell_forward_f64(self, x, h, c, stat)
        class(wlstm_cell), intent(inout) :: self
        real(real64), intent(in), contiguous, target :: x(:,:)
        real(real64), intent(inout), contiguous, target :: h(:,:), c(:,:)
        integer, intent(out), optional :: stat
        call cell_step(self, view_f64(x), shape(x, int64), view_f64(h), view_f64(c), stat)
    end subroutine

    subroutine cell_forward_row_f64(self, x, h, c, stat)
        class(wlstm_cell), intent(inout) :: self
        real(real64), intent(in), contiguous, target :: x(:)
        real(real64), intent(inout), contiguous, target :: h(:), c(:)
        integer, intent(out), optional :: stat
        call cell_step(self, view_f64(x), [size(x, kind=int64), 1_int64], view_f64(h), view_f64(c), stat)
    end subroutine
end module wavelstm_cell
