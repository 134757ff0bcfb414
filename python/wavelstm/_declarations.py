"""include/wavelstm.h in ctypes, written from it by scripts/bindings.py."""
import ctypes
import enum
from ctypes import POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p


class Status(enum.IntEnum):
    WLSTM_OK = 0
    WLSTM_ERROR_INVALID_ARGUMENT = 1
    WLSTM_ERROR_OUT_OF_MEMORY = 2
    WLSTM_ERROR_FILE = 3
    WLSTM_ERROR_FORMAT = 4
    WLSTM_ERROR_MISSING = 5
    WLSTM_ERROR_UNSUPPORTED = 6
    WLSTM_ERROR_BACKEND = 7


class Dtype(enum.IntEnum):
    WLSTM_F32 = 0
    WLSTM_F64 = 1
    WLSTM_BF16 = 2


class Precision(enum.IntEnum):
    WLSTM_PRECISION_DEFAULT = 0
    WLSTM_PRECISION_FULL = 1
    WLSTM_PRECISION_BF16 = 2
    WLSTM_PRECISION_INT8 = 3


class Backend(enum.IntEnum):
    WLSTM_BACKEND_AUTO = 0
    WLSTM_BACKEND_REFERENCE = 1
    WLSTM_BACKEND_ONEDNN = 2
    WLSTM_BACKEND_NATIVE = 3


class Effort(enum.IntEnum):
    WLSTM_EFFORT_DEFAULT = 0
    WLSTM_EFFORT_ESTIMATE = 1
    WLSTM_EFFORT_MEASURE = 2
    WLSTM_EFFORT_PATIENT = 3


class Schedule(enum.IntEnum):
    WLSTM_SCHEDULE_AUTO = 0
    WLSTM_SCHEDULE_SERIAL = 1
    WLSTM_SCHEDULE_WAVEFRONT = 2
    WLSTM_SCHEDULE_GANGS = 3


class OptimizerKind(enum.IntEnum):
    WLSTM_OPTIMIZER_SGD = 0
    WLSTM_OPTIMIZER_ADAM = 1
    WLSTM_OPTIMIZER_ADAMW = 2


class _Struct(ctypes.Structure):
    """Fields that are not given have the values of the header's _INIT."""

    def __init__(self, **fields):
        super().__init__(**{"struct_size": ctypes.sizeof(self), **self._defaults, **fields})


class LSTMConfig(_Struct):
    _fields_ = [("struct_size", c_size_t),
                ("input_size", c_int64),
                ("hidden_size", c_int64),
                ("num_layers", c_int64),
                ("proj_size", c_int64),
                ("dropout", c_double),
                ("bias", c_int),
                ("batch_first", c_int),
                ("bidirectional", c_int),
                ("dtype", c_int)]
    _defaults = {"num_layers": 1, "bias": 1}


class LoadOptions(_Struct):
    _fields_ = [("struct_size", c_size_t),
                ("prefix", c_char_p),
                ("batch_first", c_int),
                ("convert", c_int),
                ("dtype", c_int),
                ("reserved", c_int),
                ("compact", c_int),
                ("precision", c_int),
                ("first_layer", c_int64),
                ("num_layers", c_int64)]
    _defaults = {}


class CellConfig(_Struct):
    _fields_ = [("struct_size", c_size_t),
                ("input_size", c_int64),
                ("hidden_size", c_int64),
                ("bias", c_int),
                ("dtype", c_int)]
    _defaults = {"bias": 1}


class PlanOptions(_Struct):
    _fields_ = [("struct_size", c_size_t),
                ("max_seq_len", c_int64),
                ("max_batch", c_int64),
                ("num_threads", c_int),
                ("backend", c_int),
                ("effort", c_int),
                ("time_limit", c_double),
                ("deterministic", c_int),
                ("reserved", c_int),
                ("schedule", c_int),
                ("precision", c_int),
                ("chunk_steps", c_int64)]
    _defaults = {}


class StreamsOptions(_Struct):
    _fields_ = [("struct_size", c_size_t),
                ("max_streams", c_int64),
                ("max_batch", c_int64),
                ("num_threads", c_int),
                ("precision", c_int)]
    _defaults = {}


class TrainerOptions(_Struct):
    _fields_ = [("struct_size", c_size_t),
                ("max_seq_len", c_int64),
                ("max_batch", c_int64),
                ("num_threads", c_int),
                ("precision", c_int),
                ("recompute_steps", c_int64),
                ("schedule", c_int),
                ("effort", c_int)]
    _defaults = {}


class Optimizer(_Struct):
    _fields_ = [("struct_size", c_size_t),
                ("kind", c_int),
                ("nesterov", c_int),
                ("lr", c_double),
                ("momentum", c_double),
                ("dampening", c_double),
                ("beta1", c_double),
                ("beta2", c_double),
                ("eps", c_double),
                ("weight_decay", c_double)]
    _defaults = {"kind": 1, "lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-08}


GradientsFunction = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_void_p, c_int64)
AllocateFunction = ctypes.CFUNCTYPE(c_void_p, c_size_t, c_void_p)
DeallocateFunction = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)

# Each function's result, and then its arguments.
FUNCTIONS = {
    "wlstm_status_string": (c_char_p, c_int),
    "wlstm_last_error": (c_char_p,),
    "wlstm_lstm_create": (c_int, POINTER(LSTMConfig), POINTER(c_void_p)),
    "wlstm_lstm_load": (c_int, c_char_p, POINTER(LoadOptions), POINTER(c_void_p)),
    "wlstm_tensor_read": (c_int, c_char_p, c_char_p, c_int, c_void_p, c_int64, POINTER(c_int), POINTER(c_int64)),
    "wlstm_lstm_create_from_cells": (c_int, POINTER(c_void_p), c_int64, POINTER(c_void_p)),
    "wlstm_lstm_save": (c_int, c_void_p, c_char_p, c_char_p),
    "wlstm_lstm_free": (None, c_void_p),
    "wlstm_lstm_get_config": (c_int, c_void_p, POINTER(LSTMConfig)),
    "wlstm_lstm_reset_parameters": (c_int, c_void_p, c_uint64),
    "wlstm_lstm_set_precision": (c_int, c_void_p, c_int),
    "wlstm_lstm_compact": (c_int, c_void_p),
    "wlstm_lstm_num_parameters": (c_int64, c_void_p),
    "wlstm_lstm_parameter_info": (c_int, c_void_p, c_int64, POINTER(c_char_p), POINTER(c_int), POINTER(c_int64)),
    "wlstm_lstm_set_parameter": (c_int, c_void_p, c_char_p, c_void_p, c_int64),
    "wlstm_lstm_get_parameter": (c_int, c_void_p, c_char_p, c_void_p, c_int64),
    "wlstm_forward": (c_int, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "wlstm_forward_packed": (c_int, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "wlstm_cell_create": (c_int, POINTER(CellConfig), POINTER(c_void_p)),
    "wlstm_cell_load": (c_int, c_char_p, POINTER(LoadOptions), POINTER(c_void_p)),
    "wlstm_cell_save": (c_int, c_void_p, c_char_p, c_char_p),
    "wlstm_cell_free": (None, c_void_p),
    "wlstm_cell_get_config": (c_int, c_void_p, POINTER(CellConfig)),
    "wlstm_cell_reset_parameters": (c_int, c_void_p, c_uint64),
    "wlstm_cell_set_precision": (c_int, c_void_p, c_int),
    "wlstm_cell_compact": (c_int, c_void_p),
    "wlstm_cell_num_parameters": (c_int64, c_void_p),
    "wlstm_cell_parameter_info": (c_int, c_void_p, c_int64, POINTER(c_char_p), POINTER(c_int), POINTER(c_int64)),
    "wlstm_cell_set_parameter": (c_int, c_void_p, c_char_p, c_void_p, c_int64),
    "wlstm_cell_get_parameter": (c_int, c_void_p, c_char_p, c_void_p, c_int64),
    "wlstm_cell_forward": (c_int, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "wlstm_plan_create": (c_int, c_void_p, POINTER(PlanOptions), POINTER(c_void_p)),
    "wlstm_plan_execute": (c_int, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "wlstm_plan_execute_packed": (c_int, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "wlstm_plan_describe": (c_char_p, c_void_p),
    "wlstm_plan_memory": (c_int, c_void_p, POINTER(c_size_t), POINTER(c_size_t)),
    "wlstm_plan_free": (None, c_void_p),
    "wlstm_streams_create": (c_int, c_void_p, POINTER(StreamsOptions), POINTER(c_void_p)),
    "wlstm_streams_free": (None, c_void_p),
    "wlstm_streams_open": (c_int, c_void_p, POINTER(c_int64)),
    "wlstm_streams_close": (c_int, c_void_p, c_int64),
    "wlstm_streams_reset": (c_int, c_void_p, c_int64),
    "wlstm_streams_get_state": (c_int, c_void_p, c_int64, c_void_p, c_void_p),
    "wlstm_streams_set_state": (c_int, c_void_p, c_int64, c_void_p, c_void_p),
    "wlstm_streams_step": (c_int, c_void_p, c_int64, c_void_p, c_void_p, c_void_p),
    "wlstm_streams_run": (c_int, c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p, c_void_p),
    "wlstm_trainer_create": (c_int, c_void_p, POINTER(TrainerOptions), POINTER(c_void_p)),
    "wlstm_trainer_free": (None, c_void_p),
    "wlstm_trainer_parameters": (c_int, c_void_p, POINTER(c_void_p), POINTER(c_int64)),
    "wlstm_trainer_gradients": (c_int, c_void_p, POINTER(c_void_p), POINTER(c_int64)),
    "wlstm_trainer_set_parameter": (c_int, c_void_p, c_char_p, c_void_p, c_int64),
    "wlstm_trainer_get_parameter": (c_int, c_void_p, c_char_p, c_void_p, c_int64),
    "wlstm_trainer_copy_to": (c_int, c_void_p, c_void_p),
    "wlstm_trainer_tape_bytes": (c_int, c_void_p, c_int64, c_int64, POINTER(c_size_t)),
    "wlstm_trainer_forward": (c_int, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int, c_uint64, c_int64, c_void_p),
    "wlstm_trainer_forward_packed": (c_int, c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int, c_uint64, c_int64, c_void_p),
    "wlstm_trainer_backward": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int),
    "wlstm_trainer_watch_gradients": (c_int, c_void_p, GradientsFunction, c_void_p),
    "wlstm_trainer_zero_gradients": (c_int, c_void_p),
    "wlstm_trainer_clip_gradients": (c_int, c_void_p, c_double, POINTER(c_double)),
    "wlstm_trainer_update": (c_int, c_void_p, POINTER(Optimizer)),
    "wlstm_trainer_dropout_mask": (c_int, c_void_p, c_void_p, c_int64, c_void_p),
    "wlstm_trainer_memory": (c_int, c_void_p, POINTER(c_size_t), POINTER(c_size_t)),
    "wlstm_trainer_save": (c_int, c_void_p, c_char_p),
    "wlstm_trainer_load": (c_int, c_void_p, c_char_p),
    "wlstm_plan_cache_load": (c_int, c_char_p),
    "wlstm_plan_cache_save": (c_int, c_char_p),
    "wlstm_plan_cache_export": (c_int, c_char_p),
    "wlstm_plan_cache_import": (c_int, c_char_p),
    "wlstm_plan_cache_export_text": (c_int, c_char_p, c_size_t, POINTER(c_size_t)),
    "wlstm_plan_cache_import_text": (c_int, c_char_p, c_size_t),
    "wlstm_plan_cache_forget": (c_int, c_char_p),
    "wlstm_version": (c_char_p,),
    "wlstm_build_info": (c_char_p,),
    "wlstm_set_allocator": (c_int, AllocateFunction, DeallocateFunction, c_void_p),
}
