//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"hotpath/models"
)

// refusal is an error that the gateway answered.
type refusal struct {
	status  string
	message string
}

func (r *refusal) Error() string { return r.status + ": " + r.message }

// restClient speaks the protocol's REST form, written from its specification.
type restClient struct {
	base string
	http *http.Client
}

// tensorJSON is a tensor in a request or an answer.
type tensorJSON struct {
	Name       string          `json:"name"`
	Datatype   string          `json:"datatype"`
	Shape      []int64         `json:"shape"`
	Parameters *binaryData     `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

type binaryData struct {
	Size *int `json:"binary_data_size,omitempty"`
}

type inferJSON struct {
	Parameters map[string]any `json:"parameters,omitempty"`
	Inputs     []tensorJSON   `json:"inputs"`
}

const lengthHeader = "Inference-Header-Content-Length"

// inferJSON sends and receives elements as JSON.
func (c *restClient) inferJSON(model string, inputs []models.Tensor) ([]models.Tensor, error) {
	request := inferJSON{Inputs: []tensorJSON{}}
	for i := range inputs {
		t := describe(&inputs[i])
		t.Data = appendJSONData(nil, &inputs[i])
		request.Inputs = append(request.Inputs, t)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return c.infer(model, body, 0)
}

// inferBinary sends and receives elements as bytes behind the JSON.
func (c *restClient) inferBinary(model string, inputs []models.Tensor) ([]models.Tensor, error) {
	request := inferJSON{Inputs: []tensorJSON{}, Parameters: map[string]any{"binary_data_output": true}}
	var tail []byte
	for i := range inputs {
		t := describe(&inputs[i])
		size := len(inputs[i].Data)
		t.Parameters = &binaryData{&size}
		request.Inputs = append(request.Inputs, t)
		tail = append(tail, inputs[i].Data...)
	}
	head, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return c.infer(model, append(head, tail...), len(head))
}

func describe(t *models.Tensor) tensorJSON {
	return tensorJSON{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape}
}

// infer posts a body whose first head bytes are the JSON; 0: all of it.
func (c *restClient) infer(model string, body []byte, head int) ([]models.Tensor, error) {
	request, err := http.NewRequest(http.MethodPost, c.base+"/v2/models/"+model+"/infer", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if head > 0 {
		request.Header.Set(lengthHeader, strconv.Itoa(head))
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	answer, header, err := c.do(request)
	if err != nil {
		return nil, err
	}
	at := len(answer)
	if text := header.Get(lengthHeader); text != "" {
		if at, err = strconv.Atoi(text); err != nil || at > len(answer) {
			return nil, fmt.Errorf("%s is %q in an answer of %d bytes", lengthHeader, text, len(answer))
		}
	}
	var parsed struct {
		Outputs []tensorJSON `json:"outputs"`
	}
	if err := json.Unmarshal(answer[:at], &parsed); err != nil {
		return nil, err
	}
	return readOutputs(parsed.Outputs, answer[at:])
}

// do makes a call; an answer other than 200 is a *refusal.
func (c *restClient) do(request *http.Request) ([]byte, http.Header, error) {
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return body, answer.Header, nil
	}
	var told struct{ Error string }
	if json.Unmarshal(body, &told) != nil || told.Error == "" {
		return nil, nil, fmt.Errorf("answer %d without an error text: %q", answer.StatusCode, body)
	}
	return nil, nil, &refusal{strconv.Itoa(answer.StatusCode), told.Error}
}

// control loads or unloads a model.
func (c *restClient) control(model, action string) error {
	request, err := http.NewRequest(http.MethodPost, c.base+"/v2/repository/models/"+model+"/"+action, nil)
	if err != nil {
		return err
	}
	_, _, err = c.do(request)
	return err
}

func readOutputs(described []tensorJSON, tail []byte) ([]models.Tensor, error) {
	var out []models.Tensor
	for _, d := range described {
		dtype, err := models.ParseDType(d.Datatype)
		if err != nil {
			return nil, err
		}
		t := models.Tensor{Name: d.Name, DType: dtype, Shape: d.Shape}
		switch {
		case d.Data != nil:
			if t.Data, err = parseJSONData(d.Data, dtype); err != nil {
				return nil, fmt.Errorf("output %q: %w", d.Name, err)
			}
		case d.Parameters != nil && d.Parameters.Size != nil && *d.Parameters.Size <= len(tail):
			t.Data, tail = tail[:*d.Parameters.Size], tail[*d.Parameters.Size:]
		default:
			return nil, fmt.Errorf("output %q has no data", d.Name)
		}
		out = append(out, t)
	}
	if len(tail) > 0 {
		return nil, errors.New("bytes are left behind the last output")
	}
	return out, nil
}
