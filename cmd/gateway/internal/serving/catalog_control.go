package serving

import (
	"context"
	"errors"
	"time"

	"hotpath/models/repository"
	"hotpath/router"
	"hotpath/router/oip"
)

// Load loads what a model's version policy wants, again where files have changed,
// and waits until all of it is ready or refused.
func (c *Catalog) Load(ctx context.Context, model string, parameters oip.Parameters) *router.Error {
	if config, ok := parameters["config"]; ok && config != "" {
		return &router.Error{Code: router.BadRequest, Field: "parameters.config",
			Message: "a configuration cannot be sent with a load: put it into the model's config.yaml"}
	}
	return repositoryError(c.Repository.LoadModel(ctx, model))
}

// Unload takes a model out until it is loaded again.
func (c *Catalog) Unload(ctx context.Context, model string) *router.Error {
	return repositoryError(c.Repository.Unload(ctx, model, 0))
}

// repositoryError says what the client hears of a failed operation.
func repositoryError(err error) *router.Error {
	if err == nil {
		return nil
	}
	out := &router.Error{Code: router.Internal, Message: err.Error()}
	var failure *repository.Error
	if !errors.As(err, &failure) {
		return out
	}
	switch failure.Code {
	case repository.CodeUnknownModel, repository.CodeUnknownVersion:
		out.Code, out.Field = router.UnknownModel, "model"
	case repository.CodeBadRequest, repository.CodeBadModel, repository.CodeConflict:
		out.Code = router.BadRequest
	case repository.CodeDeadline:
		out.Code = router.Deadline
	case repository.CodeClosed:
		out.Code, out.RetryAfter = router.Draining, time.Second
	}
	return out
}
