// Package demo holds the models that `gateway serve --demo` serves, built into
// the binary so that the demo needs no other file:
//
//	repository/        a model repository: risk (versions 1 and 2), digits, progression
//	candidates/risk/3  a third version of risk, to copy into a running repository
//	features.csv       the features of users user-1 to user-500
//	features.yaml      types and defaults of those features
//	experiments.yaml   an experiment that compares risk 1 with risk 2
//
// The models are real: train.py trains them on data sets that scikit-learn
// bundles, and each golden.json holds scikit-learn's own answers.
package demo
