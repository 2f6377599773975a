// Package reportview shows the readout of experiments to people: as tables of text
// and as one page of HTML that needs nothing else.
package reportview
