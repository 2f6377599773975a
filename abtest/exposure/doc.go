// Package exposure keeps the log of who was shown which variant, and of what came
// of it.
package exposure
