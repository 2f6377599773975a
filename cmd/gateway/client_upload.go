package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"hotpath/models/promotion"
)

// expectTimeout is how long an upload waits for the gateway to want it.
const expectTimeout = 5 * time.Second

// upload posts files as a form, or nothing without files. They are read as they
// are sent. An answer that comes before they are wanted ends it.
func (c *adminClient) upload(ctx context.Context, path string, q url.Values, key string, files []deployFile, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var body io.Reader
	kind, expect := "", ""
	if len(files) > 0 {
		out, in := io.Pipe()
		form := multipart.NewWriter(in)
		body, kind, expect = out, form.FormDataContentType(), "100-continue"
		written := make(chan struct{})
		go func() {
			defer close(written)
			in.CloseWithError(writeForm(form, files))
		}()
		defer func() {
			out.Close() // ends the writer, if it has not ended by itself
			<-written
		}()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, body)
	if err != nil {
		return nil, err
	}
	r.URL.RawQuery = q.Encode()
	for name, value := range map[string]string{"Content-Type": kind, "Expect": expect, "Idempotency-Key": key} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	return c.send(c.http, r, timeout, http.StatusOK, http.StatusAccepted)
}

func writeForm(form *multipart.Writer, files []deployFile) error {
	for _, file := range files {
		if err := writePart(form, file); err != nil {
			return err
		}
	}
	return form.Close()
}

func writePart(form *multipart.Writer, file deployFile) error {
	f, err := os.Open(file.path)
	if err != nil {
		return err
	}
	defer f.Close()
	part, err := form.CreateFormFile(file.part, filepath.Base(file.path))
	if err != nil {
		return err
	}
	_, err = io.Copy(part, f)
	return err
}

// shownSaga is a deployment as it was sent, and decoded.
type shownSaga struct {
	saga promotion.Saga
	raw  []byte
}

func decodeSaga(data []byte) (s promotion.Saga, err error) {
	if err = json.Unmarshal(data, &s); err != nil {
		err = fmt.Errorf("the answer is not one of this gateway's version: %w", err)
	}
	return s, err
}

// errStreamEnded is what follow gives when the gateway stops telling.
var errStreamEnded = errors.New("the gateway has stopped telling")

// maxEvent bounds one event of a watched deployment.
const maxEvent = 1 << 20

// follow calls each with a deployment at every change, until it has ended.
func (c *adminClient) follow(ctx context.Context, first promotion.Saga, each func(promotion.Saga)) (shownSaga, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/admin/deployments/"+url.PathEscape(first.ID)+"?watch=true", nil)
	if err != nil {
		return shownSaga{}, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return shownSaga{}, c.explain(err, 0)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
		if err != nil {
			return shownSaga{}, c.explain(err, 0)
		}
		return shownSaga{}, c.refused(text, answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		data, isData := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !isData {
			continue
		}
		s, err := decodeSaga(data)
		if err != nil {
			return shownSaga{}, err
		}
		if each(s); s.State.Ended() {
			return shownSaga{s, bytes.Clone(data)}, nil
		}
	}
	return shownSaga{}, fmt.Errorf("%w: %s may be going on, or is undone at the gateway's next start; see `gateway models deployments %s`", errStreamEnded, first.ID, first.Model)
}
