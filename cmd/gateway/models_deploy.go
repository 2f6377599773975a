package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/models/promotion"
	"hotpath/models/repository"
)

// deployFlags are those of `gateway models deploy`.
type deployFlags struct {
	model, modelConfig, golden string
	version, from              int
	shadow                     string
	agreement, tolerance       float64
	watch                      bool
	watchWindow                time.Duration
	maxErrorRate, maxLatency   float64
	allowContractChange        bool
	key                        string
	timeout                    time.Duration
	format                     outputFormat
}

func newModelsDeployCommand(a *app) *cobra.Command {
	var f deployFlags
	c := &cobra.Command{
		Use:   "deploy [FILE]",
		Short: "Bring a new version into service, step by step, with a way back",
		Long: "Send a model to a running gateway, which checks it, tries it, compares it with what serves, switches to it and\n" +
			"watches it. The first step that fails undoes the ones before. FILE is an .onnx file, or a folder with model.onnx\n" +
			"and, where they are there, config.yaml and golden.json. With --from a version that is in the repository already\n" +
			"is deployed, and there is no FILE.\n\n" +
			"What is not said is decided by models.promotion of the gateway's configuration. Exit status with --watch: 0 if\n" +
			"the version serves, 1 if it was refused or taken back.",
		Example: "  gateway models deploy model.onnx --model risk --watch\n" +
			"  gateway models deploy candidates/risk/3 --shadow 1000 --agreement 0.95 --watch\n" +
			"  gateway models deploy --model risk --from 2 --watch",
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.deploy(cmd, args, &f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.model, "model", "", "`name` of the model (default the name of FILE or of its folder)")
	flags.IntVar(&f.version, "version", 0, "`number` of the new version (default one above the highest)")
	flags.IntVar(&f.from, "from", 0, "`number` of a version that is in the repository already")
	flags.StringVar(&f.modelConfig, "model-config", "", "`path` of the version's config.yaml")
	flags.StringVar(&f.golden, "golden", "", "`path` of the version's golden.json")
	flags.StringVar(&f.shadow, "shadow", "", "compare so many live requests, as in `1000`, or for a time, as in 30s")
	flags.Float64Var(&f.agreement, "agreement", 0, "least `share` of compared requests that both versions answer alike")
	flags.Float64Var(&f.tolerance, "tolerance", 0, "largest `difference` of predictions that are alike")
	flags.BoolVar(&f.watch, "watch", false, "show each step as it happens, and wait for the end")
	flags.DurationVar(&f.watchWindow, "watch-window", 0, "how long the version is watched after the switch; 0s: not")
	flags.Float64Var(&f.maxErrorRate, "max-error-rate", 0, "`share` of failed requests above which it is taken back")
	flags.Float64Var(&f.maxLatency, "max-latency-ratio", 0, "`times` that its runs may take of those of the version before")
	flags.BoolVar(&f.allowContractChange, "allow-contract-change", false, "let inputs and outputs differ from those that serve")
	flags.StringVar(&f.key, "idempotency-key", "", "a `text` of yours: the same one again gives the same deployment")
	flags.DurationVar(&f.timeout, "timeout", loadingTimeout, "how long the files may take to arrive")
	f.format.addTo(c)
	return c
}

func (a *app) deploy(cmd *cobra.Command, args []string, f *deployFlags) error {
	if (len(args) == 1) == (f.from != 0) {
		return wrongf("give FILE, or --from with a version of the repository: one of both")
	}
	var files []deployFile
	if len(args) == 1 {
		var err error
		if files, err = f.files(args[0]); err != nil {
			return err
		}
	}
	if f.model == "" {
		return wrongf("--model is missing: --from says nothing of the model's name")
	}
	if err := repository.CheckModelName(f.model); err != nil {
		return wrongError{err}
	}
	q, err := f.query(cmd.Flags().Changed, files)
	if err != nil {
		return err
	}
	client, err := a.adminClient()
	if err != nil {
		return err
	}
	body, err := client.upload(cmd.Context(), modelPath(f.model)+"/deployments", q, f.key, files, f.timeout)
	if err != nil {
		return err
	}
	if f.watch {
		return a.watchDeployment(cmd.Context(), client, body, f.format)
	}
	return answer(a, f.format, body, deploymentBegun)
}

// deployFile is a file to send: the name of its part, and where it lies.
type deployFile struct{ part, path string }

// files finds what to send, and the model's name where no flag says it.
func (f *deployFlags) files(name string) ([]deployFile, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, wrongError{err}
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	model, dir := path, ""
	if info.IsDir() {
		model, dir = filepath.Join(path, promotion.ModelFile), path
	}
	if f.model == "" {
		f.model = modelName(path, info.IsDir())
	}
	all := []deployFile{{"model", model}}
	for _, more := range []struct{ part, flag, name string }{
		{"config", f.modelConfig, promotion.ConfigFile}, {"golden", f.golden, promotion.GoldenFile},
	} {
		switch inDir := filepath.Join(dir, more.name); {
		case more.flag != "":
			all = append(all, deployFile{more.part, more.flag})
		case dir != "" && exists(inDir):
			all = append(all, deployFile{more.part, inDir})
		}
	}
	for _, file := range all {
		switch info, err := os.Stat(file.path); {
		case err != nil:
			return nil, wrongf("%s is not a file that can be sent: %v", file.path, err)
		case !info.Mode().IsRegular():
			return nil, wrongf("%s is not a file that can be sent: it is a folder, a device or the like", file.path)
		}
	}
	return all, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// modelName is the name in risk.onnx, risk/model.onnx, risk and risk/3.
func modelName(path string, isDir bool) string {
	if !isDir {
		if filepath.Base(path) != promotion.ModelFile {
			return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		}
		path = filepath.Dir(path)
	}
	if _, err := repository.ParseVersion(filepath.Base(path)); err == nil {
		path = filepath.Dir(path)
	}
	return filepath.Base(path)
}

// query are the parameters of the flags that were given. The checksum shows what
// is damaged on the way.
func (f *deployFlags) query(given func(flag string) bool, files []deployFile) (url.Values, error) {
	q := url.Values{}
	for _, p := range []struct{ flag, name, value string }{
		{"version", "version", strconv.Itoa(f.version)},
		{"from", "from", strconv.Itoa(f.from)},
		{"shadow", "shadow", f.shadow},
		{"agreement", "agreement", number(f.agreement)},
		{"tolerance", "tolerance", number(f.tolerance)},
		{"watch-window", "watch_window", f.watchWindow.String()},
		{"max-error-rate", "max_error_rate", number(f.maxErrorRate)},
		{"max-latency-ratio", "max_latency_ratio", number(f.maxLatency)},
		{"allow-contract-change", "allow_contract_change", strconv.FormatBool(f.allowContractChange)},
	} {
		if given(p.flag) {
			q.Set(p.name, p.value)
		}
	}
	if len(files) == 0 {
		return q, nil
	}
	file, err := os.Open(files[0].path)
	if err != nil {
		return nil, wrongError{err}
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return nil, wrongError{err}
	}
	q.Set("sha256", hex.EncodeToString(hash.Sum(nil)))
	return q, nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func deploymentBegun(w io.Writer, s promotion.Saga) {
	if s.State.Ended() { // the idempotency key is that of an earlier one
		fmt.Fprintf(w, "deployment %s of an earlier call has ended: %s\n", s.ID, deploymentEnd(s))
		return
	}
	fmt.Fprintf(w, "deployment %s of %s version %d has begun; see: gateway models deployments %s\n", s.ID, s.Model, s.Version, s.Model)
}
