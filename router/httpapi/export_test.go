package httpapi

// RegisteredEndpoints are the names of the endpoints that are in tables here.
func RegisteredEndpoints() (names []string) {
	for _, table := range [][]endpoint{v2Endpoints, v1Endpoints, ofrepEndpoints} {
		for _, e := range table {
			names = append(names, e.method+" "+e.path)
		}
	}
	return names
}
