#include "ort.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// CALL calls a function of the table that gives a status or nothing.
#define CALL(api, name, result, ...) ((result(*) __VA_ARGS__)((void **)(api))[ORT_##name])

enum { kind_tensor = 1, type_string = 8, arena_allocator = 1, memory_default = 0 };

typedef struct {
	void *(*get_api)(uint32_t version);
	const char *(*get_version)(void);
} api_base;

const char *ort_open(const char *path, void **library, void **api, void **memory) {
	*library = dlopen(path, RTLD_LAZY);
	if (*library == NULL) return dlerror();
	const api_base *(*base)(void) = (const api_base *(*)(void))dlsym(*library, "OrtGetApiBase");
	const char *problem = "the library has no OrtGetApiBase";
	if (base != NULL) {
		*api = base()->get_api(ORT_VERSION);
		problem = "the library is older than 1.29";
	}
	if (*api != NULL) {
		void *status = CALL(*api, CreateCpuMemoryInfo, void *, (int, int, void **))(arena_allocator, memory_default, memory);
		if (status == NULL) return NULL;
		ort_release_status(*api, status);
		problem = "the CPU's memory cannot be described";
	}
	dlclose(*library);
	return problem;
}

void ort_close(void *library, void *api, void *memory) {
	CALL(api, ReleaseMemoryInfo, void, (void *))(memory);
	dlclose(library);
}

const char *ort_message(void *api, void *status) {
	return CALL(api, GetErrorMessage, const char *, (void *))(status);
}

void ort_release_status(void *api, void *status) { CALL(api, ReleaseStatus, void, (void *))(status); }

void ort_release(void *api, void *value) { CALL(api, ReleaseValue, void, (void *))(value); }

void *ort_count(void *api, void *session, int outputs, size_t *n) {
	if (outputs) return CALL(api, SessionGetOutputCount, void *, (void *, size_t *))(session, n);
	return CALL(api, SessionGetInputCount, void *, (void *, size_t *))(session, n);
}

// describe_shape reads type and shape as declared, borrowed from the type.
static void *describe_shape(void *api, const void *info, ort_port *port) {
	void *status = CALL(api, GetTensorElementType, void *, (const void *, int32_t *))(info, &port->type);
	if (status != NULL || !CALL(api, TensorTypeAndShape_HasShape, bool, (const void *))(info)) return status;
	size_t rank = 0;
	if ((status = CALL(api, GetDimensionsCount, void *, (const void *, size_t *))(info, &rank)) != NULL) return status;
	port->rank = (int32_t)rank;
	if (rank == 0 || rank > ORT_RANK) return NULL;
	if ((status = CALL(api, GetDimensions, void *, (const void *, int64_t *, size_t))(info, port->shape, rank)) != NULL) return status;
	const char *symbols[ORT_RANK] = {0};
	if ((status = CALL(api, GetSymbolicDimensions, void *, (const void *, const char **, size_t))(info, symbols, rank)) != NULL) return status;
	for (size_t d = 0; d < rank; d++) port->symbols[d] = strdup(symbols[d] == NULL ? "" : symbols[d]);
	return NULL;
}

// copy_name takes a name over from ONNX Runtime's allocator.
static void *copy_name(void *api, void *session, int outputs, size_t index, ort_port *port) {
	void *allocator = NULL;
	void *status = CALL(api, GetAllocatorWithDefaultOptions, void *, (void **))(&allocator);
	if (status != NULL) return status;
	char *name = NULL;
	if (outputs) status = CALL(api, SessionGetOutputName, void *, (void *, size_t, void *, char **))(session, index, allocator, &name);
	else status = CALL(api, SessionGetInputName, void *, (void *, size_t, void *, char **))(session, index, allocator, &name);
	if (status != NULL) return status;
	port->name = strdup(name);
	return CALL(api, AllocatorFree, void *, (void *, void *))(allocator, name);
}

void *ort_describe(void *api, void *session, int outputs, size_t index, ort_port *port) {
	memset(port, 0, sizeof *port);
	port->rank = -1;
	void *status = copy_name(api, session, outputs, index, port);
	if (status != NULL) return status;
	void *type = NULL;
	if (outputs) status = CALL(api, SessionGetOutputTypeInfo, void *, (void *, size_t, void **))(session, index, &type);
	else status = CALL(api, SessionGetInputTypeInfo, void *, (void *, size_t, void **))(session, index, &type);
	if (status != NULL) return status;
	status = CALL(api, GetOnnxTypeFromTypeInfo, void *, (const void *, int32_t *))(type, &port->kind);
	if (status == NULL && port->kind == kind_tensor) {
		const void *info = NULL;
		status = CALL(api, CastTypeInfoToTensorInfo, void *, (const void *, const void **))(type, &info);
		if (status == NULL && info != NULL) status = describe_shape(api, info, port);
	}
	CALL(api, ReleaseTypeInfo, void, (void *))(type);
	return status;
}

void ort_free_port(ort_port *port) {
	free(port->name);
	for (int d = 0; d < ORT_RANK; d++) free(port->symbols[d]);
}

void *ort_fill_strings(void *api, void *value, size_t elements, const char *data) {
	for (size_t i = 0; i < elements; i++) {
		const unsigned char *head = (const unsigned char *)data;
		size_t n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
		char *to = NULL;
		void *status = CALL(api, GetResizedStringTensorElementBuffer, void *, (void *, size_t, size_t, char **))(value, i, n, &to);
		if (status != NULL) return status;
		if (n > 0) memcpy(to, data + 4, n);
		data += 4 + n;
	}
	return NULL;
}

void *ort_make(void *api, void *memory, ort_tensor *t) {
	static char nothing[8]; // ONNX Runtime wants an address for no bytes too
	if (t->type != type_string)
		return CALL(api, CreateTensorWithDataAsOrtValue, void *, (void *, void *, size_t, const int64_t *, size_t, int32_t, void **))(
			memory, t->data == NULL ? nothing : t->data, t->bytes, t->shape, (size_t)t->rank, t->type, &t->value);
	void *allocator = NULL;
	void *status = CALL(api, GetAllocatorWithDefaultOptions, void *, (void **))(&allocator);
	if (status != NULL) return status;
	status = CALL(api, CreateTensorAsOrtValue, void *, (void *, const int64_t *, size_t, int32_t, void **))(
		allocator, t->shape, (size_t)t->rank, t->type, &t->value);
	if (status != NULL || t->data == NULL) return status;
	return ort_fill_strings(api, t->value, t->elements, t->data);
}

void *ort_run(void *api, void *session, void *options, char **in_names, void **in, size_t ins, char **out_names, void **out, size_t outs) {
	return CALL(api, Run, void *, (void *, void *, char **, void **, size_t, char **, size_t, void **))(
		session, options, in_names, in, ins, out_names, outs, out);
}

// describe_value reads type, shape and address of a tensor that came out.
static void *describe_value(void *api, ort_tensor *t) {
	void *info = NULL;
	void *status = CALL(api, GetTensorTypeAndShape, void *, (void *, void **))(t->value, &info);
	if (status != NULL) return status;
	size_t rank = 0;
	status = CALL(api, GetTensorElementType, void *, (void *, int32_t *))(info, &t->type);
	if (status == NULL) status = CALL(api, GetDimensionsCount, void *, (void *, size_t *))(info, &rank);
	t->rank = (int32_t)rank;
	if (status == NULL && rank > 0 && rank <= ORT_RANK) status = CALL(api, GetDimensions, void *, (void *, int64_t *, size_t))(info, t->shape, rank);
	if (status == NULL) status = CALL(api, GetTensorShapeElementCount, void *, (void *, size_t *))(info, &t->elements);
	CALL(api, ReleaseTensorTypeAndShapeInfo, void, (void *))(info);
	t->data = NULL;
	if (status != NULL || t->type == type_string) return status;
	return CALL(api, GetTensorMutableData, void *, (void *, void **))(t->value, &t->data);
}

void ort_release_all(void *api, ort_tensor *tensors, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (tensors[i].value != NULL) ort_release(api, tensors[i].value);
		tensors[i].value = NULL;
		tensors[i].data = NULL;
	}
}

void *ort_run_tensors(void *api, void *memory, void *session, void *options,
	char **in_names, ort_tensor *in, size_t ins, char **out_names, ort_tensor *out, size_t outs) {
	void *values[ins + outs];
	void *status = NULL;
	for (size_t i = 0; i < ins && status == NULL; i++) {
		status = ort_make(api, memory, &in[i]);
		values[i] = in[i].value;
	}
	memset(values + ins, 0, outs * sizeof *values);
	if (status == NULL) status = ort_run(api, session, options, in_names, values, ins, out_names, values + ins, outs);
	for (size_t i = 0; i < outs; i++) out[i].value = values[ins + i];
	for (size_t i = 0; i < outs && status == NULL; i++) status = describe_value(api, &out[i]);
	ort_release_all(api, in, ins);
	if (status != NULL) ort_release_all(api, out, outs);
	return status;
}

void *ort_string_bytes(void *api, void *value, size_t *bytes) {
	return CALL(api, GetStringTensorDataLength, void *, (void *, size_t *))(value, bytes);
}

void *ort_strings(void *api, void *value, void *text, size_t bytes, size_t *offsets, size_t elements) {
	return CALL(api, GetStringTensorContent, void *, (void *, void *, size_t, size_t *, size_t))(value, text, bytes, offsets, elements);
}
