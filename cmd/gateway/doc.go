// Command gateway is Hotpath's one binary: it serves predictions (serve), checks
// what people write for it (validate, config), fills the feature store
// (features load), and talks to a running gateway's admin port (status, models,
// experiments). Each command has a file of its own here; none of them holds
// logic that a package below could hold.
//
// Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong,
// 3 serve had to abandon work in progress when it stopped.
package main
