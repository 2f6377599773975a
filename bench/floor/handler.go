package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/redis/rueidis"
	"github.com/valyala/fasthttp"
)

// request is the body of POST /predict as far as the floor's model needs it.
type request struct {
	UserID    string             `json:"user_id"`
	Model     string             `json:"model"`
	Features  map[string]float32 `json:"features"`
	RequestID string             `json:"request_id"`
}

// answer has the members that the gateway answers with outside of experiments.
type answer struct {
	RequestID  string             `json:"request_id"`
	Model      string             `json:"model"`
	Version    int                `json:"version"`
	Reason     string             `json:"reason"`
	Outputs    map[string]float32 `json:"outputs"`
	Prediction float32            `json:"prediction"`
}

// handler serves /predict and /readyz.
type handler struct {
	store     *store
	model     *model
	name, key string
	fields    []string
	served    atomic.Uint64
}

func (h *handler) serve(ctx *fasthttp.RequestCtx) {
	switch string(ctx.Path()) {
	case "/predict":
		if err := h.predict(ctx); err != nil {
			ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
		}
	case "/readyz":
		ctx.SetStatusCode(fasthttp.StatusOK)
	default:
		ctx.SetStatusCode(fasthttp.StatusNotFound)
	}
}

func (h *handler) predict(ctx *fasthttp.RequestCtx) error {
	var in request
	if err := json.Unmarshal(ctx.PostBody(), &in); err != nil {
		return err
	}
	row := h.model.acquire()
	defer h.model.release(row)
	values, err := h.store.get(h.key + in.UserID)
	if err != nil {
		return err
	}
	if err := h.fill(&in, values, row); err != nil {
		return err
	}
	if err := h.model.score(row); err != nil {
		return err
	}
	if in.RequestID == "" {
		in.RequestID = strconv.FormatUint(h.served.Add(1), 36)
	}
	body, err := json.Marshal(answer{
		RequestID: in.RequestID, Model: h.name, Version: 1, Reason: "default",
		Outputs: map[string]float32{h.model.output: row.out}, Prediction: row.out,
	})
	if err != nil {
		return err
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
	return nil
}

// fill converts the reply of a user's HMGET; the request's own values win.
func (h *handler) fill(in *request, values []rueidis.RedisMessage, row *row) error {
	for i := range values {
		text, err := values[i].ToString()
		if rueidis.IsRedisNil(err) {
			row.in[i] = 0
			continue
		}
		if err != nil {
			return err
		}
		v, err := strconv.ParseFloat(text, 32)
		if err != nil {
			return fmt.Errorf("feature %s: %w", h.fields[i], err)
		}
		row.in[i] = float32(v)
	}
	for i, name := range h.fields {
		if v, ok := in.Features[name]; ok {
			row.in[i] = v
		}
	}
	return nil
}
