// The few functions of ONNX Runtime's C interface that the Go binding lacks or
// wraps at a cost: tensors over memory of the caller's, a run that lets ONNX
// Runtime allocate the outputs, strings of any bytes, and what a graph declares.
//
// Every function that can fail gives an OrtStatus, NULL for success, which the
// caller passes to ort_release_status.

#ifndef HOTPATH_ORT_H
#define HOTPATH_ORT_H

#include <stddef.h>
#include <stdint.h>

// ORT_VERSION is the version of the interface that is asked for.
enum { ORT_VERSION = 29 };

// ORT_RANK is the most dimensions that a tensor may have here.
enum { ORT_RANK = 32 };

// The functions that are used, by their place in the table OrtApi. That table is
// the library's binary interface: it only ever grows at its end. A test compares
// these numbers with the header that comes with the Go binding.
enum ort_function {
	ORT_GetErrorMessage = 2,
	ORT_Run = 9,
	ORT_SessionGetInputCount = 30,
	ORT_SessionGetOutputCount = 31,
	ORT_SessionGetInputTypeInfo = 33,
	ORT_SessionGetOutputTypeInfo = 34,
	ORT_SessionGetInputName = 36,
	ORT_SessionGetOutputName = 37,
	ORT_CreateTensorAsOrtValue = 48,
	ORT_CreateTensorWithDataAsOrtValue = 49,
	ORT_GetTensorMutableData = 51,
	ORT_GetStringTensorDataLength = 53,
	ORT_GetStringTensorContent = 54,
	ORT_CastTypeInfoToTensorInfo = 55,
	ORT_GetOnnxTypeFromTypeInfo = 56,
	ORT_GetTensorElementType = 60,
	ORT_GetDimensionsCount = 61,
	ORT_GetDimensions = 62,
	ORT_GetSymbolicDimensions = 63,
	ORT_GetTensorShapeElementCount = 64,
	ORT_GetTensorTypeAndShape = 65,
	ORT_CreateCpuMemoryInfo = 69,
	ORT_AllocatorFree = 76,
	ORT_GetAllocatorWithDefaultOptions = 78,
	ORT_ReleaseStatus = 93,
	ORT_ReleaseMemoryInfo = 94,
	ORT_ReleaseValue = 96,
	ORT_ReleaseTypeInfo = 98,
	ORT_ReleaseTensorTypeAndShapeInfo = 99,
	ORT_GetResizedStringTensorElementBuffer = 252,
	ORT_TensorTypeAndShape_HasShape = 390,
};

// ort_tensor is one tensor of a run.
typedef struct {
	int32_t type; // ONNXTensorElementDataType
	int32_t rank;
	int64_t shape[ORT_RANK];
	// The elements; of a string tensor that goes in, each as its length in 4 bytes
	// (little-endian) and its bytes. NULL for a string tensor that comes out.
	void *data;
	size_t bytes; // of data, where it has fixed-width elements and goes in
	size_t elements;
	void *value; // the OrtValue
} ort_tensor;

// ort_port is an input or output as the graph declares it.
typedef struct {
	char *name;
	int32_t kind; // ONNXType
	int32_t type; // ONNXTensorElementDataType
	int32_t rank; // -1: not declared
	int64_t shape[ORT_RANK];
	char *symbols[ORT_RANK]; // names of the open dimensions, "" without one
} ort_port;

// ort_open finds the table of functions in a library that is loaded already, and
// a description of the CPU's memory. It gives what went wrong, NULL for success.
const char *ort_open(const char *path, void **library, void **api, void **memory);
void ort_close(void *library, void *api, void *memory);

const char *ort_message(void *api, void *status);
void ort_release_status(void *api, void *status);

// ort_count gives the number of inputs or outputs of a session; ort_describe
// describes one, which ort_free_port frees.
void *ort_count(void *api, void *session, int outputs, size_t *n);
void *ort_describe(void *api, void *session, int outputs, size_t index, ort_port *port);
void ort_free_port(ort_port *port);

// ort_make makes the value of a tensor: over its data, which must outlive the
// value, or a copy of its strings. A string tensor without data is left empty.
void *ort_make(void *api, void *memory, ort_tensor *t);
void *ort_fill_strings(void *api, void *value, size_t elements, const char *data);
void ort_release(void *api, void *value);

// ort_run runs values that are there. The lists are as long as the session's own.
void *ort_run(void *api, void *session, void *options, char **in_names, void **in, size_t ins, char **out_names, void **out, size_t outs);

// ort_run_tensors makes the inputs' values, runs them, and lets go of them
// again. The outputs are ONNX Runtime's: described in out, until ort_release_all.
void *ort_run_tensors(void *api, void *memory, void *session, void *options,
	char **in_names, ort_tensor *in, size_t ins, char **out_names, ort_tensor *out, size_t outs);
void ort_release_all(void *api, ort_tensor *tensors, size_t n);

// ort_string_bytes gives the length of all strings of a value together, and
// ort_strings the strings one after the other, with where each begins.
void *ort_string_bytes(void *api, void *value, size_t *bytes);
void *ort_strings(void *api, void *value, void *text, size_t bytes, size_t *offsets, size_t elements);

#endif
