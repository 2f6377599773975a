// Command floor is the least program that does the work of one POST /predict:
// decode JSON, read the user's features from Redis, batch, run ONNX Runtime,
// encode JSON. It has no product features: no experiments, policies, limits,
// deadlines, metrics or reload.
//
// The bench suite runs it in the same session as the gateway and reports the
// ratio of the two. It is meant to be what a good engineer writes in a day, and
// it must stay honest: it may neither leave out a step of the path nor be
// slowed down. Its choices:
//
//   - fasthttp with keep-alive; encoding/json with fixed structs;
//   - one HMGET per request over rueidis; concurrent requests share a pipeline
//     through a few fetchers that send what is queued as one DoMulti, on one
//     connection; no client-side cache, because the gateway has none either;
//   - no MaxFlushDelay: it saves writes by sleeping, and Go rounds short sleeps up
//     to a millisecond on an idle machine;
//   - GOGC 400, because the live heap is small;
//   - one runner goroutine that takes what is queued, up to 64 rows, and never
//     waits for more; not locked to a thread, which makes each hand-over dearer;
//   - one session with one intra-op thread, sequential, spinning off; tensors for
//     every batch size made once, over one shared buffer.
package main
