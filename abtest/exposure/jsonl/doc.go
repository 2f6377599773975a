// Package jsonl keeps the log of exposures in files of JSON lines, and reads them.
//
// A directory has files named exposures-TIME.jsonl, by the time they were begun,
// so that the order of the names is that of the records. The last one grows; the
// others are whole, and may be compressed (.jsonl.gz). No file is ever renamed
// while it grows, and each ends with a whole line unless the process was killed.
//
// The rotation is our own. Of the libraries, lumberjack's Close leaves a goroutine
// behind (its issue 205), and timberjack, which mends that, reports what fails in
// rotating, removing and compressing to stderr or to nobody, syncs no file that it
// closes, renames the file that grows, and leaves half a line in it when the disk
// is full.
package jsonl
