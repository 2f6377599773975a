// Package admin is the gateway's second port: health, metrics, profiles, and
// the management of models, experiments and guards. It is for operators and
// listens on loopback unless told otherwise; nothing of it is on the traffic
// port.
//
//	GET  /livez  /readyz  /health/liveness  /health/readiness
//	GET  /metrics                                  Prometheus or OpenMetrics text
//	GET  /debug/pprof/...
//	GET  /admin/status
//	GET  /admin/config                             YAML, secrets hidden
//	GET  /admin/models
//	GET  /admin/models/{model}
//	POST /admin/models/{model}/load[?version=N]    without a version: the highest on disk
//	POST /admin/models/{model}/unload[?version=N]  without a version: the whole model
//	POST /admin/models/{model}/promote?version=N
//	POST /admin/models/{model}/rollback
//	POST /admin/models/{model}/deployments         the model's files, or ?from=N
//	GET  /admin/models/{model}/deployments
//	GET  /admin/deployments
//	GET  /admin/deployments/{id}[?watch=true]      with watch: server-sent events
//	DELETE /admin/deployments/{id}                 cancels it
//	GET  /admin/experiments[?format=yaml]          what serves, or the file; with its ETag
//	PUT  /admin/experiments                        the whole file; If-Match is required
//	PATCH /admin/experiments                       a JSON merge patch; If-Match is required
//	POST /admin/experiments/check                  what a file would change, and who moves
//	GET  /admin/experiments/lint
//	GET  /admin/experiments/history
//	GET  /admin/experiments/history/{revision}
//	POST /admin/experiments/restore?revision=N     If-Match is required
//	POST /admin/experiments/{experiment}/pause           on top of the file, until resume
//	POST /admin/experiments/{experiment}/rollback?variant=V
//	POST /admin/experiments/{experiment}/resume
//	GET  /admin/experiments/report
//	GET  /admin/experiments/{experiment}/report
//	GET  /admin/experiments/assign?user_id=U[&model=M][&attr.NAME=VALUE...]
//	POST /admin/reload                             reads the experiments file again
//	GET  /admin/guards
//	POST /admin/guards/{name}/hold                 keeps a breaker open
//	POST /admin/guards/{name}/release
//
// Answers are JSON but for metrics, profiles and the configuration. Errors are
// {"error":{"code":"…","message":"…"}} in the vocabulary of the traffic port,
// with 404 for what is not there, 409 for what does not fit the state of
// things, 412 for an edit of something that has changed since, and 422 for a model
// or file that is wrong. Operations take no body, but for a deployment, whose files
// they are, and edits of the experiments. Unknown and repeated query parameters are
// refused. A POST that a browser sends on
// behalf of another site is refused, since loopback is no protection from a page
// that the operator has open. Where Options.Access is
// there, every endpoint but health needs a caller with a scope (package identity), and
// changes are logged with their caller; else who can reach the port may use it.
//
// The package owns no state but the number of deployments that are watched. Its
// goroutines are one for each of those, and end with the request.
package admin
