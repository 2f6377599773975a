package httpapi

import "bytes"

// route is an endpoint of the traffic port, for metrics and limits.
type route uint8

const (
	routeOther route = iota
	routePredict
	routeBatch
	routeHealth
	routeAssign
	routeFeedback
	routeOFREP
	routeInfer
	routeV2
	routeV1Predict
	routeV1
	numRoutes
)

var routeNames = [numRoutes]string{"other", "predict", "predict_batch", "health", "assign", "feedback", "ofrep", "infer", "v2_other", "v1_predict", "v1_other"}

// routeOf maps a path to its route; the aliases are one route.
func routeOf(path []byte) route {
	switch string(path) {
	case "/predict", "/v1/predict", "/api/v1/predict":
		return routePredict
	case "/predict/batch", "/v1/predict/batch", "/api/v1/predict/batch":
		return routeBatch
	case "/assign", "/v1/assign", "/api/v1/abtest/assign":
		return routeAssign
	case "/feedback", "/v1/feedback":
		return routeFeedback
	case "/", "/livez", "/readyz", "/health/liveness", "/health/readiness":
		return routeHealth
	}
	switch {
	case within(path, "/ofrep/v1"):
		return routeOFREP
	case within(path, "/v2"):
		if bytes.HasSuffix(bytes.TrimSuffix(path, slash), []byte("/infer")) {
			return routeInfer
		}
		return routeV2
	case within(path, "/v1/models"):
		if bytes.HasSuffix(bytes.TrimSuffix(path, slash), []byte(":predict")) {
			return routeV1Predict
		}
		return routeV1
	}
	return routeOther
}

var slash = []byte("/")

// within says whether a path is root or below it.
func within(path []byte, root string) bool {
	rest, ok := bytes.CutPrefix(path, []byte(root))
	return ok && (len(rest) == 0 || rest[0] == '/')
}

// protocol says that a route is the Open Inference Protocol's or TensorFlow
// Serving's, whose errors have a form of their own.
func (r route) protocol() bool { return r >= routeInfer }
