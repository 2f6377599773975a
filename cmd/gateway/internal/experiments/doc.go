// Package experiments keeps what serves equal to the experiments file, and is the
// one place that changes either.
//
// A Keeper looks at the file, refuses a broken one whole, and gives what is right
// to the world of the models. Edits through the admin port are compared with the
// file as it lies on the disk, so that of two editors the later one hears of the
// earlier. Each content that served is a revision with its time, author and text;
// holds are kept on top of the file, for guardrails and for operators where the
// file is not theirs to write. A sample of the real traffic says what an edit would
// move before it is saved.
//
// A crash at any moment leaves the file whole, the old one or the new one, and a
// history that can be read. Several gateways may share the file and the directory:
// advisory locks beside both make their changes follow one another.
//
// Watch is the one goroutine, with one more inside it that lets the sample take
// requests; both end with its context.
package experiments
