// Package routertest has what tests of the router and of its codecs need: a
// pipeline over real batchers whose runners are fakes, with a fake feature view.
// Nothing of it serves.
package routertest
