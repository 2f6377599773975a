// Package archtest holds the tests of the architecture: who may import whom.
package archtest
