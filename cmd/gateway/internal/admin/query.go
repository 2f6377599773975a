package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hotpath/models/repository"
	"hotpath/models/strictyaml"
)

// strict lets an endpoint see only queries of these parameters, each given at
// most once. A name that ends in a dot stands for every name that begins with it.
func strict(e func(w http.ResponseWriter, r *http.Request, q url.Values) error, names ...string) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return badRequest("the query is malformed: %w", err)
		}
		for name, values := range q {
			if !slices.ContainsFunc(names, func(n string) bool {
				if strings.HasSuffix(n, ".") {
					return len(name) > len(n) && strings.HasPrefix(name, n)
				}
				return n == name
			}) {
				return unknownParameter(name, names)
			}
			if len(values) > 1 {
				return badRequest("parameter %.80q is given %d times; give it once", name, len(values))
			}
		}
		return e(w, r, q)
	}
}

func unknownParameter(name string, names []string) error {
	if len(names) == 0 {
		return badRequest("unknown parameter %.80q; this takes none", name)
	}
	known := slices.Clone(names)
	for i, n := range known {
		if strings.HasSuffix(n, ".") {
			known[i] = n + "NAME"
		}
	}
	if near := strictyaml.Nearest(name, names); near != "" {
		return badRequest("unknown parameter %.80q; did you mean %s?", name, near)
	}
	return badRequest("unknown parameter %.80q; there is %s", name, strings.Join(known, ", "))
}

// version reads the version parameter; 0 when it is not given.
func version(q url.Values) (int, error) {
	if !q.Has("version") {
		return 0, nil
	}
	n, err := repository.ParseVersion(q.Get("version"))
	if err != nil {
		return 0, badRequest("parameter version: %w", err)
	}
	return n, nil
}
