package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hotpath/models/durable"
	"hotpath/models/strictyaml"
	"hotpath/router/identity"
)

// newKeysCommand is about the keys file. It needs no running gateway: one that runs
// reads the file again.
func newKeysCommand(a *app) *cobra.Command {
	var file string
	c := group(&cobra.Command{
		Use:   "keys",
		Short: "Make, list and revoke the API keys of callers",
		Long: `Make, list and revoke the API keys of callers, in the keys file (auth.keys_file).

The file holds the SHA-256 of each key and not the key: a key is shown once, when it
is made. A gateway that runs takes up the file within two auth.reload_interval.`,
		Example: "  gateway keys create ranking --scopes predict --quota 500/1000 --keys-file keys.yaml\n  gateway keys list --config gateway.yaml",
	}, newKeysCreateCommand(a, &file), newKeysListCommand(a, &file), newKeysRevokeCommand(a, &file))
	c.PersistentFlags().StringVar(&file, "keys-file", "", "keys `file` (default auth.keys_file)")
	return c
}

// keysFile is the keys file's name: that of the flag, else of the configuration.
func (a *app) keysFile(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	c, _, err := a.load()
	if err != nil {
		return "", err
	}
	if c.Auth.KeysFile == "" {
		return "", wrongf("auth.keys_file is empty: name the keys file by --keys-file, or set it")
	}
	return c.Auth.KeysFile, nil
}

func newKeysCreateCommand(a *app, file *string) *cobra.Command {
	var scopes []string
	var quota, expires string
	c := &cobra.Command{
		Use:   "create CALLER",
		Short: "Make a key for a caller, and show it once",
		Long: `Make a key for a caller, and show it once on standard output.

A caller who is there gets one more key with the same scopes and quota. That is how
a key is replaced: make the new one, give it to the caller, revoke the old one when
the metrics say that nobody uses it.

Scopes: ` + strings.Join(identity.ScopeNames(), ", ") + `.
A quota is requests a second, with how many may come at once behind a slash.`,
		Example: "  gateway keys create ranking --scopes predict --quota 500/1000 > ranking.key\n" +
			"  gateway keys create ranking --expires 2160h",
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e := identity.NewEntry{Name: args[0], Scopes: scopes}
			if err := identity.CheckName(e.Name); err != nil {
				return wrongError{err}
			}
			if _, err := identity.ParseScopes(scopes); err != nil {
				return wrongf("--scopes: %w", err)
			}
			var err error
			if e.Quota, err = parseQuota(quota); err != nil {
				return wrongf("--quota: %w", err)
			}
			if e.Expires, err = parseExpiry(expires, time.Now()); err != nil {
				return wrongf("--expires: %w", err)
			}
			return a.createKey(cmd.Context(), *file, e)
		},
	}
	c.Flags().StringSliceVar(&scopes, "scopes", nil, "what a new caller may do, comma-separated")
	c.Flags().StringVar(&quota, "quota", "", "how often a new caller may ask, as in `100/200`; empty: no bound")
	c.Flags().StringVar(&expires, "expires", "", "when the key ends: a `time` as 2027-01-01T00:00:00Z, or a duration from now as 2160h; empty: never")
	return c
}

func (a *app) createKey(ctx context.Context, flag string, e identity.NewEntry) error {
	var key, id string
	file, err := a.editKeys(ctx, flag, func(file string, data []byte) (next []byte, err error) {
		next, key, id, err = identity.AddKey(file, data, e, time.Now())
		return next, err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "Key %s of %s is in %s. It is not shown again:\n", id, e.Name, file)
	_, err = fmt.Fprintln(a.stdout, key)
	return err
}

// parseQuota reads 100 or 100/200.
func parseQuota(text string) (q identity.Quota, err error) {
	if text == "" {
		return q, nil
	}
	rate, burst, bursts := strings.Cut(text, "/")
	if q.RequestsPerSecond, err = strconv.ParseFloat(rate, 64); err == nil && bursts {
		q.Burst, err = strconv.Atoi(burst)
	}
	if _, message := q.Problem(); err != nil || message != "" || q.RequestsPerSecond == 0 || bursts && q.Burst == 0 {
		return q, fmt.Errorf("%q is not requests a second and how many at once, as in 100/200", text)
	}
	return q, nil
}

// parseExpiry reads a time or a duration from now.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		text = now.Add(d).Format(time.RFC3339)
	}
	when, err := time.Parse(time.RFC3339, text)
	if err != nil || !when.After(now) {
		return time.Time{}, fmt.Errorf("%q is neither a time to come, as 2027-01-01T00:00:00Z, nor a duration, as 2160h", text)
	}
	return when, nil
}

func newKeysRevokeCommand(a *app, file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Take a key out of the file",
		Long: `Take a key out of the file by its id, the part behind hp_. Who uses it is refused
within two auth.reload_interval. The caller stays, with their other keys.`,
		Example: "  gateway keys revoke wcuogzavhz --keys-file keys.yaml",
		Args:    takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			caller := ""
			file, err := a.editKeys(cmd.Context(), *file, func(file string, data []byte) (next []byte, err error) {
				next, caller, err = identity.RemoveKey(file, data, args[0])
				return next, err
			})
			if err == nil {
				fmt.Fprintf(a.stdout, "Key %s of %s is no longer in %s.\n", args[0], caller, file)
			}
			return err
		},
	}
}

func newKeysListCommand(a *app, file *string) *cobra.Command {
	var format outputFormat
	c := &cobra.Command{
		Use:   "list",
		Short: "List the callers and their keys",
		Long: `List the callers with what they may do, and their keys by their ids. The keys
themselves are nowhere.`,
		Example: "  gateway keys list --keys-file keys.yaml\n  gateway keys list --config gateway.yaml -o json",
		Args:    takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			name, err := a.keysFile(*file)
			if err != nil {
				return err
			}
			data, err := strictyaml.ReadFile(name)
			if err != nil {
				return err
			}
			f, err := identity.Parse(name, data)
			if err != nil {
				return err
			}
			body, err := json.Marshal(f)
			if err != nil {
				return err
			}
			return answer(a, format, body, tableOfKeys)
		},
	}
	format.addTo(c)
	return c
}

func tableOfKeys(w io.Writer, f identity.File) {
	fmt.Fprintln(w, "CALLER\tSCOPES\tQUOTA\tKEY\tCREATED\tEXPIRES")
	for _, c := range f.Callers {
		quota := "-"
		if c.Quota.RequestsPerSecond > 0 {
			quota = strconv.FormatFloat(c.Quota.RequestsPerSecond, 'g', -1, 64) + "/s"
		}
		begin := c.Name + "\t" + strings.Join(c.Scopes, ",") + "\t" + quota
		for _, k := range c.Keys {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", begin, k.ID, dashed(k.Created), dashed(k.Expires))
		}
		for _, name := range c.Certificates {
			fmt.Fprintf(w, "%s\t%s\t-\t-\n", begin, name)
		}
		if len(c.Keys)+len(c.Certificates) == 0 {
			fmt.Fprintf(w, "%s\t-\t-\t-\n", begin)
		}
	}
}

func dashed(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// keysLocked is how long to wait for another who edits the file.
const keysLocked = 5 * time.Second

// editKeys changes the keys file, whole or not at all, while nobody else does.
func (a *app) editKeys(ctx context.Context, flag string, change func(file string, data []byte) ([]byte, error)) (file string, err error) {
	if file, err = a.keysFile(flag); err != nil {
		return "", err
	}
	if linked, err := filepath.EvalSymlinks(file); err == nil {
		file = linked // the link stays what it is
	}
	unlock, err := lockFolder(ctx, filepath.Dir(file), keysLocked)
	if err != nil {
		return file, err
	}
	defer unlock()
	data, err := strictyaml.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	next, err := change(file, data)
	if err != nil {
		return file, err
	}
	staged, err := durable.Stage(file, ".keys-*.tmp", next)
	if err != nil {
		return file, err
	}
	defer staged.Abort()
	return file, staged.Commit()
}

// lockFolder holds the advisory lock of a folder. The file itself is no good for that:
// it is another one after each change.
func lockFolder(ctx context.Context, dir string, patience time.Duration) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: dir, Err: err}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("another process holds the lock of %s", dir)
		}
	}
}
