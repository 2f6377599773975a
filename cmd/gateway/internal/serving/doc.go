// Package serving joins the stages into lanes and the lanes into snapshots. It
// is the only place that sees features, batcher, inference, models/repository
// and router together; each of them knows none of the others.
//
// A World holds what the repository has loaded and which experiments are
// wanted, and gives the pipeline a new snapshot whenever one of them changes.
// A change that does not resolve (an experiment that names a version that is
// not there, a version removed that an experiment names) is refused whole, with
// every reason, and the snapshot before it goes on serving.
package serving
