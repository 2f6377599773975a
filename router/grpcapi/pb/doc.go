// Package pb is the Open Inference Protocol's messages and service, generated from
// the .proto files beside it by `make proto`.
package pb
