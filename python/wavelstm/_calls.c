/* What a usual call costs least by: a module in Python's limited interface (3.11 on) that does what LSTM._run and LSTMCell._run of
 * _modules.py do, for arrays or tensors as the library takes them. Whatever is not such a call gives None, and goes that longer way,
 * which has the checks and their words. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>
#include <wavelstm.h>

#ifdef Py_GIL_DISABLED
#error "free-threaded builds of Python are not served by the compiled module; leave it out: the package runs without"
#endif

typedef wlstm_status (*forward_function)(wlstm_lstm *, int64_t, int64_t, const int64_t *, const void *, const void *,
                                         const void *, void *, void *, void *);
typedef wlstm_status (*cell_function)(wlstm_cell *, int64_t, const void *, const void *, const void *, void *, void *);
_Static_assert(_Generic(&wlstm_forward, forward_function : 1, default : 0), "wlstm_forward has another type");
_Static_assert(_Generic(&wlstm_cell_forward, cell_function : 1, default : 0), "wlstm_cell_forward has another type");

/* NumPy's array interface, https://numpy.org/doc/stable/reference/arrays.interface.html */
typedef struct {
    int two, nd;
    char typekind;
    int itemsize, flags;
    Py_ssize_t *shape, *strides;
    void *data;
    PyObject *descr;
} array_interface;
enum {
    ARRAY_AS_C = 0x1 | 0x100 | 0x200,
    ARRAY_WRITEABLE = 0x400
}; /* dense in C order, aligned, in native byte order */

/* DLPack's tensor and its table of functions, https://dmlc.github.io/dlpack/latest/c_api.html */
typedef struct {
    void *data;
    int32_t device_type, device_id, ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} dl_tensor;
typedef struct {
    uint32_t major, minor;
    void *older, *allocate, *export_managed, *import_managed;
    int (*describe)(void *object, dl_tensor *tensor);
} dl_exchange;
enum { DL_CPU = 1, DL_FLOAT = 2, DL_BFLOAT = 4 };

/* What arrays and tensors hold, by wlstm_dtype. */
static const struct {
    char kind;
    uint8_t code;
    int bytes;
} types[] = { { 'f', DL_FLOAT, 4 }, { 'f', DL_FLOAT, 8 }, { 'u', DL_BFLOAT, 2 } };
_Static_assert(WLSTM_F32 == 0 && WLSTM_F64 == 1 && WLSTM_BF16 == 2, "types is not by wlstm_dtype");

/* What set_numpy and set_torch were given; those of torch NULL until then. */
static PyObject *numpy_array, *numpy_empty, *numpy_types[3], *check_status;
static PyObject *torch_tensor, *torch_parameter, *torch_empty_like, *torch_is_grad_enabled;
static PyObject *torch_recording[3],
    *forward_ad; /* functions whose results are false where nothing records or transforms */
static dl_exchange *torch_exchange;
static PyObject *array_struct_name, *requires_grad_name, *is_neg_name, *level_name, *new_empty_name;

enum { NUMPY, TORCH };
typedef struct {
    char *data;
    int ndim, writeable;
    int64_t shape[3];
} view;

/* 1, or 0 if the object is not a dense array of a wlstm_dtype, or -1 with an exception. */
static int view_numpy(PyObject *object, int dtype, view *v) {
    if ((PyObject *)Py_TYPE(object) != numpy_array) return 0;
    PyObject *capsule = PyObject_GetAttr(object, array_struct_name);
    if (!capsule) return -1;
    const array_interface *array = PyCapsule_GetPointer(capsule, NULL);
    int fits = array && array->nd <= 3 && array->typekind == types[dtype].kind &&
               array->itemsize == types[dtype].bytes && (array->flags & ARRAY_AS_C) == ARRAY_AS_C;
    if (fits) {
        v->data = array->data, v->ndim = array->nd, v->writeable = (array->flags & ARRAY_WRITEABLE) != 0;
        for (int k = 0; k < array->nd; k++) v->shape[k] = array->shape[k];
    }
    Py_DECREF(capsule);
    return array ? fits : -1;
}

/* Whether a method or attribute of an object is true; -1 with an exception. */
static int truth_of(PyObject *value) {
    if (!value) return -1;
    int truth = PyObject_IsTrue(value);
    Py_DECREF(value);
    return truth;
}

static int view_torch(PyObject *object, int dtype, int grad, view *v) {
    PyObject *type = (PyObject *)Py_TYPE(object);
    if (type != torch_tensor && type != torch_parameter) return 0;
    int negated = truth_of(PyObject_CallMethodObjArgs(object, is_neg_name, NULL));
    if (negated) return negated < 0 ? -1 : 0;
    int requires = grad || type == torch_parameter ? truth_of(PyObject_GetAttr(object, requires_grad_name)) : 0;
    if (requires)
    return requires < 0 ? -1 : 0; /* a tensor that requires grad has no description, and may have no result */
    dl_tensor tensor;
    if (torch_exchange->describe(object, &tensor)) {
        PyErr_Clear(); /* sparse and the like: the longer way has words for it */
        return 0;
    }
    if (tensor.device_type != DL_CPU || tensor.code != types[dtype].code || tensor.bits != 8 * types[dtype].bytes ||
        tensor.lanes != 1 || tensor.ndim > 3)
        return 0;
    int64_t dense = 1;
    for (int k = tensor.ndim - 1; k >= 0; k--) {
        if (tensor.shape[k] != 1 && tensor.strides && tensor.strides[k] != dense) return 0;
        v->shape[k] = tensor.shape[k];
        dense *= tensor.shape[k];
    }
    v->data = (char *)tensor.data + tensor.byte_offset, v->ndim = tensor.ndim, v->writeable = 1;
    return dense != 0 && v->data;
}

/* 1 where torch neither records nor transforms what is done, 0 where it does, -1 with an exception. */
static int torch_is_plain(int *grad) {
    for (int k = 0; k < 3; k++) {
        int records = truth_of(PyObject_CallNoArgs(torch_recording[k]));
        if (records) return records < 0 ? -1 : 0;
    }
    PyObject *level = PyObject_GetAttr(forward_ad, level_name);
    if (!level) return -1;
    long of = PyLong_AsLong(level);
    Py_DECREF(level);
    if (of == -1 && PyErr_Occurred()) return -1;
    *grad = truth_of(PyObject_CallNoArgs(torch_is_grad_enabled));
    return *grad < 0 ? -1 : of < 0;
}

/* An LSTM (blocks > 0) or LSTMCell of the library. */
typedef struct {
    PyObject_HEAD void *handle, *run;
    int64_t input_size, hidden_size, width, blocks, directions;
    int batch_first, dtype;
} caller;

static PyObject *caller_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    (void)keywords;
    unsigned long long handle, run;
    long long input_size, hidden_size, width, blocks, directions;
    int batch_first, dtype;
    if (!PyArg_ParseTuple(arguments, "KKLLLLLpi", &handle, &run, &input_size, &hidden_size, &width, &blocks,
                          &directions, &batch_first, &dtype))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    caller *self = (caller *)allocate(type, 0);
    if (!self) return NULL;
    self->handle = (void *)(uintptr_t)handle, self->run = (void *)(uintptr_t)run;
    self->input_size = input_size, self->hidden_size = hidden_size, self->width = width;
    self->blocks = blocks, self->directions = directions, self->batch_first = batch_first, self->dtype = dtype;
    return (PyObject *)self;
}

static void caller_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF((PyObject *)type);
}

/* A new array of a shape, of the input's kind; as `like`, a dense tensor of this shape, which is quickest, if there is one. */
static PyObject *empty(int kind, int dtype, PyObject *input, PyObject *like, int ndim, const int64_t *shape) {
    if (kind == TORCH && like) return PyObject_CallFunctionObjArgs(torch_empty_like, like, NULL);
    PyObject *tuple = PyTuple_New(ndim), *made = NULL;
    for (int k = 0; tuple && k < ndim; k++) {
        PyObject *size = PyLong_FromLongLong(shape[k]);
        if (!size || PyTuple_SetItem(tuple, k, size)) {
            Py_DECREF(tuple);
            return NULL;
        }
    }
    if (tuple && kind == NUMPY)
        made = PyObject_CallFunctionObjArgs(numpy_empty, tuple, numpy_types[dtype], NULL);
    else if (tuple)
        made = PyObject_CallMethodObjArgs(input, new_empty_name, tuple, NULL);
    Py_XDECREF(tuple);
    return made;
}

static int look(int kind, PyObject *object, int dtype, int grad, view *v) {
    return kind == NUMPY ? view_numpy(object, dtype, v) : view_torch(object, dtype, grad, v);
}

static int has_shape(const view *v, int ndim, const int64_t *shape) {
    return v->ndim == ndim && !memcmp(v->shape, shape, (size_t)ndim * sizeof *shape);
}

/* pair[0] and pair[1] (borrowed) of a tuple of two; 0 if it is none. */
static int two_of(PyObject *tuple, PyObject **pair) {
    if (!PyTuple_CheckExact(tuple) || PyTuple_Size(tuple) != 2) return 0;
    pair[0] = PyTuple_GetItem(tuple, 0), pair[1] = PyTuple_GetItem(tuple, 1);
    return 1;
}

/* results[0..2]: out, h_n, c_n of an LSTM; of a cell 0 and 1: h', c'. Their shapes. */
typedef struct {
    int count, ndim[3];
    int64_t shape[3][3];
    int64_t seq_len, batch;
} sizes;

/* 0 where an input of this shape is none for the LSTM or cell. */
static int sizes_of(const caller *self, const view *x, sizes *s) {
    int cell = self->blocks == 0, batched = x->ndim == (cell ? 2 : 3);
    if ((!batched && x->ndim != (cell ? 1 : 2)) || x->shape[x->ndim - 1] != self->input_size) return 0;
    int first = batched && self->batch_first;
    s->count = cell ? 2 : 3;
    s->batch = !batched ? 1 : x->shape[cell || first ? 0 : 1];
    s->seq_len = cell ? 1 : x->shape[first ? 1 : 0];
    for (int k = 0; k < s->count; k++) {
        int64_t last = k == s->count - 1 ? self->hidden_size : self->width, *shape = s->shape[k];
        int n = 0;
        if (!cell && k == 0) {
            for (; n < x->ndim - 1; n++) shape[n] = x->shape[n];
            last *= self->directions;
        } else {
            if (!cell) shape[n++] = self->blocks;
            if (batched) shape[n++] = s->batch;
        }
        shape[n++] = last;
        s->ndim[k] = n;
    }
    return s->seq_len > 0 && s->batch > 0;
}

/* (input, hx, out): out, (h_n, c_n) or h', c'; None where it is not a usual call. */
static PyObject *caller_run(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    const caller *self = (const caller *)object;
    if (count != 3) return PyErr_Format(PyExc_TypeError, "run: 3 arguments expected, got %zd", count);
    PyObject *input = arguments[0], *hx[2], *results[3] = { 0 }, *answer = NULL;
    int kind = (PyObject *)Py_TYPE(input) == numpy_array ? NUMPY : TORCH, dtype = self->dtype, grad = 0, usual = 1;
    if (kind == TORCH) usual = torch_exchange ? torch_is_plain(&grad) : 0;
    view x, state[2], result[3];
    sizes s;
    if (usual == 1) usual = look(kind, input, dtype, grad, &x);
    if (usual == 1) usual = sizes_of(self, &x, &s);
    if (usual == 1 && arguments[1] != Py_None) {
        usual = two_of(arguments[1], hx);
        for (int k = 0; usual == 1 && k < 2; k++) {
            usual = look(kind, hx[k], dtype, grad, &state[k]);
            if (usual == 1) usual = has_shape(&state[k], s.ndim[s.count - 2 + k], s.shape[s.count - 2 + k]);
        }
    }
    PyObject *given[3];
    int own = arguments[2] == Py_None;
    if (usual == 1 && !own) {
        usual = two_of(arguments[2], given);
        if (usual == 1 && s.count == 3) usual = two_of(given[1], given + 1);
    }
    for (int k = 0; usual == 1 && k < s.count; k++) {
        if (own)
            results[k] =
                empty(kind, dtype, input, arguments[1] != Py_None && k >= s.count - 2 ? hx[k - s.count + 2] : NULL,
                      s.ndim[k], s.shape[k]);
        else
            results[k] = Py_NewRef(given[k]);
        usual = results[k] ? look(kind, results[k], dtype, grad, &result[k]) : -1;
        if (usual == 1) usual = result[k].writeable && has_shape(&result[k], s.ndim[k], s.shape[k]);
    }
    if (usual == 1) {
        const void *h = arguments[1] == Py_None ? NULL : state[0].data, *c = h ? state[1].data : NULL;
        wlstm_status status;
        Py_BEGIN_ALLOW_THREADS;
        if (self->blocks)
            status = ((forward_function)self->run)(self->handle, s.seq_len, s.batch, NULL, x.data, h, c, result[0].data,
                                                   result[1].data, result[2].data);
        else
            status = ((cell_function)self->run)(self->handle, s.batch, x.data, h, c, result[0].data, result[1].data);
        Py_END_ALLOW_THREADS;
        if (status) {
            Py_XDECREF(PyObject_CallFunction(check_status, "i", (int)status)); /* which raises */
        } else if (!own && s.count == 2) {
            answer = Py_NewRef(arguments[2]);
        } else if (s.count == 2) {
            answer = PyTuple_Pack(2, results[0], results[1]);
        } else {
            PyObject *states = PyTuple_Pack(2, results[1], results[2]);
            answer = states ? PyTuple_Pack(2, results[0], states) : NULL;
            Py_XDECREF(states);
        }
    } else if (usual == 0) {
        answer = Py_NewRef(Py_None);
    }
    for (int k = 0; k < 3; k++) Py_XDECREF(results[k]);
    return answer;
}

/* (array, empty, the types of wlstm_dtype, check): NumPy's, and what raises a status. */
static PyObject *set_numpy(PyObject *module, PyObject *arguments) {
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OO(OOO)O", &numpy_array, &numpy_empty, &numpy_types[0], &numpy_types[1],
                          &numpy_types[2], &check_status))
        return NULL;
    PyObject *kept[] = { numpy_array, numpy_empty, numpy_types[0], numpy_types[1], numpy_types[2], check_status };
    for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) Py_INCREF(kept[k]);
    return Py_NewRef(Py_None);
}

/* (exchange, Tensor, Parameter, empty_like, is_grad_enabled, three that record, forward_ad): torch's. False where its table of
 * functions is not one that is known here. */
static PyObject *set_torch(PyObject *module, PyObject *arguments) {
    (void)module;
    PyObject **places[] = { &torch_tensor,       &torch_parameter,    &torch_empty_like,   &torch_is_grad_enabled,
                            &torch_recording[0], &torch_recording[1], &torch_recording[2], &forward_ad };
    PyObject *capsule, *given[8];
    if (!PyArg_ParseTuple(arguments, "OOOOO(OOO)O", &capsule, &given[0], &given[1], &given[2], &given[3], &given[4],
                          &given[5], &given[6], &given[7]))
        return NULL;
    dl_exchange *exchange = PyCapsule_GetPointer(capsule, "dlpack_exchange_api");
    if (!exchange) return NULL;
    if (exchange->major != 1 || !exchange->describe) return Py_NewRef(Py_False);
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) *places[k] = Py_NewRef(given[k]);
    torch_exchange = exchange;
    return Py_NewRef(Py_True);
}

/* (address, bytes, before): a number of 64 bits that other values would hardly have. */
static PyObject *digest(PyObject *module, PyObject *arguments) {
    (void)module;
    unsigned long long address, bytes, before;
    if (!PyArg_ParseTuple(arguments, "KKK", &address, &bytes, &before)) return NULL;
    const unsigned char *values = (const unsigned char *)(uintptr_t)address;
    const uint64_t odd = 0xd6e8feb86659fd93u;
    uint64_t lane[4] = { before, before + odd, before ^ bytes, ~before }, word[4];
    Py_BEGIN_ALLOW_THREADS;
    size_t n = (size_t)bytes;
    for (; n > 0; values += sizeof word, n -= sizeof word) {
        if (n < sizeof word) {
            memset(word, 0, sizeof word);
            memcpy(word, values, n);
            n = sizeof word;
        } else {
            memcpy(word, values, sizeof word);
        }
        for (int k = 0; k < 4; k++) {
            uint64_t mixed = lane[k] ^ word[k];
            lane[k] = (mixed << 29 | mixed >> 35) * odd;
        }
    }
    Py_END_ALLOW_THREADS;
    uint64_t sum = 0;
    for (int k = 0; k < 4; k++) {
        sum = (sum ^ lane[k] ^ lane[k] >> 32) * odd;
        sum ^= sum >> 29;
    }
    return PyLong_FromUnsignedLongLong(sum);
}

static PyMethodDef caller_methods[] = { { "run", (PyCFunction)(void (*)(void))caller_run, METH_FASTCALL, NULL },
                                        { 0 } };
static PyType_Slot caller_slots[] = {
    { Py_tp_new, caller_new }, { Py_tp_dealloc, caller_dealloc }, { Py_tp_methods, caller_methods }, { 0, NULL }
};
static PyType_Spec caller_spec = { "wavelstm._calls.Caller", sizeof(caller), 0, Py_TPFLAGS_DEFAULT, caller_slots };
static PyMethodDef methods[] = { { "set_numpy", set_numpy, METH_VARARGS, NULL },
                                 { "set_torch", set_torch, METH_VARARGS, NULL },
                                 { "digest", digest, METH_VARARGS, NULL },
                                 { 0 } };
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "wavelstm._calls", NULL, -1, methods, NULL, NULL, NULL, NULL
};

PyMODINIT_FUNC PyInit__calls(void);
PyMODINIT_FUNC PyInit__calls(void) {
    static const struct {
        PyObject **place;
        const char *name;
    } names[] = { { &array_struct_name, "__array_struct__" },
                  { &requires_grad_name, "requires_grad" },
                  { &is_neg_name, "is_neg" },
                  { &level_name, "_current_level" },
                  { &new_empty_name, "new_empty" } };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (!*names[k].place && !(*names[k].place = PyUnicode_InternFromString(names[k].name))) return NULL;
    PyObject *module = PyModule_Create(&definition), *type = PyType_FromSpec(&caller_spec);
    if (!module || !type || PyModule_AddObjectRef(module, "Caller", type)) {
        Py_XDECREF(module);
        Py_XDECREF(type);
        return NULL;
    }
    Py_DECREF(type);
    return module;
}
