package main

import (
	"testing"
	"time"
)

func TestLabelsOverTheAdminPort(t *testing.T) {
	addr, dir := adminPort(t)
	models := func(args ...string) result {
		return cli(t, append([]string{"models", "--admin", addr}, args...)...)
	}
	if got := models("label", "risk", "stable", "1"); got.code != 0 || row(got.out, "risk", "1", "ready", "previous,", "label", "stable") == "" {
		t.Errorf("%+v", got)
	}
	if got := models("label", "risk", "stable", "2"); row(got.out, "risk", "2", "ready", "current,", "label", "stable") == "" {
		t.Errorf("%+v", got)
	}
	models("unload", "risk", "2").wants(t, 1, "", "(conflict)")
	if got := models("unlabel", "risk", "stable"); got.code != 0 || row(got.out, "risk", "2", "ready", "current,") != "" {
		t.Errorf("%+v", got)
	}
	models("unlabel", "risk", "stable").wants(t, 1, "", "there is no label stable (unknown_label)")
	models("label", "risk", "stable", "9").wants(t, 1, "", "(unknown_version)")
	models("label", "nope", "stable", "9").wants(t, 1, "", "(unknown_model)")
	models("label", "risk", "7", "1").wants(t, 2, "", `"7" is no label`)
	models("label", "risk", "stable", "v1").wants(t, 2, "", `"v1" is no version`)
	models("label", "risk", "stable").wants(t, 2, "", "models label takes MODEL LABEL VERSION, not 2 arguments")

	// What of the file does not hold is said below the table.
	writeFile(t, dir, "repository/risk/config.yaml", "labels: {next: 8}\n")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got := models("list")
		if row(got.out, "label", "next", "of", "risk", "waits", "for", "version", "8,") != "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", got)
		}
	}
	writeFile(t, dir, "repository/risk/config.yaml", "labels: {next: 1}\nlable: {}\n")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got := models("list", "risk")
		if row(got.out, "the", "config.yaml", "of", "risk", "is", "not", "in", "force:") != "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", got)
		}
	}
}
