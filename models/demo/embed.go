package demo

import "embed"

//go:embed repository candidates features.csv features.yaml experiments.yaml
var files embed.FS

// Files is the read-only tree described in the package's comment, with
// slash-separated paths such as repository/risk/1/model.onnx.
func Files() embed.FS { return files }
