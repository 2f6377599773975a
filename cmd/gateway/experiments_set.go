package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hotpath/abtest"
	"hotpath/models/strictyaml"
)

func newExperimentsSetCommand(a *app) *cobra.Command {
	var f editFlags
	c := &cobra.Command{
		Use:   "set NAME KEY=VALUE...",
		Short: "Change the state, the weights or the ramp of an experiment",
		Long: "Change keys of one experiment in the file that serves, and leave the rest of it as it is. What changes is shown\n" +
			"and confirmed as by `gateway experiments apply`. Without a value, as in end=, a key is taken out.\n\n" +
			"  state=STATE              draft, running, paused, stopped or archived\n" +
			"  ramp=SHARE[@TIME],...    share of the units in percent, from a time on\n" +
			"  start=TIME, end=TIME     when it assigns, such as 2027-01-31T08:00:00Z\n" +
			"  weight.VARIANT=PERCENT   share of a variant; together they add up to 100\n" +
			"  version.VARIANT=NUMBER   version of the model that answers\n" +
			"  label.VARIANT=LABEL      label that names the version\n" +
			"  sample.VARIANT=PERCENT   share of the units that a shadow scores",
		Example: "  gateway experiments set risk-gbm weight.control=80 weight.treatment=20 -m TICKET-412\n" +
			"  gateway experiments set risk-gbm ramp=5,50@2027-02-01T08:00:00Z --yes\n" +
			"  gateway experiments set risk-gbm state=stopped",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := takes(2, 1+maxAssignments)(cmd, args); err != nil {
				return err
			}
			_, err := setPatch(args[0], args[1:])
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.adminClient()
			if err != nil {
				return err
			}
			return a.setKeys(cmd.Context(), client, args[0], args[1:], &f)
		},
	}
	f.addTo(c)
	return c
}

func (a *app) setKeys(ctx context.Context, client *adminClient, name string, pairs []string, f *editFlags) error {
	patch, err := setPatch(name, pairs)
	if err != nil {
		return wrongError{err}
	}
	text, etag, err := client.experimentsFile(ctx)
	if err != nil {
		return err
	}
	if err := mayBeSet(text, name, pairs); err != nil {
		return err
	}
	f.match = cmp.Or(f.match, etag)
	return a.propose(ctx, client, editCall{method: http.MethodPatch, path: experimentsPath, kind: kindMergePatch, body: patch}, f)
}

// mayBeSet refuses names that are not in the file: the patch would make new things
// of them.
func mayBeSet(text []byte, name string, pairs []string) error {
	var file abtest.Config
	if err := strictyaml.Decode("the experiments file", text, &file); err != nil {
		return err
	}
	names := []string{}
	for _, e := range file.Experiments {
		if e.Name != name {
			names = append(names, e.Name)
			continue
		}
		variants := []string{}
		for _, v := range e.Variants {
			variants = append(variants, v.Name)
		}
		for _, pair := range pairs {
			key, _, _ := strings.Cut(pair, "=")
			if _, variant, ok := strings.Cut(key, "."); ok && !slices.Contains(variants, variant) {
				return fmt.Errorf("experiment %q has no variant %q (it has %s)%s", name, variant, strings.Join(variants, ", "), meant(variant, variants))
			}
		}
		return nil
	}
	return fmt.Errorf("there is no experiment %q in the file%s; `gateway experiments edit` adds one", name, meant(name, names))
}

// maxAssignments bounds the arguments of set.
const maxAssignments = 256

// setters read the values of the keys of an experiment. Those that end in a dot
// are a variant's.
var setters = map[string]func(text string) (any, error){
	"state": textValue, "start": textValue, "end": textValue, "ramp": rampSteps,
	"weight.": percentValue, "version.": wholeValue, "label.": textValue, "sample.": percentValue,
}

// setPatch is the merge patch of key=value pairs on one experiment.
func setPatch(name string, pairs []string) ([]byte, error) {
	experiment, variants := map[string]any{}, map[string]map[string]any{}
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not key=value, as in state=paused", pair)
		}
		value, err := setValue(key, text)
		if err != nil {
			return nil, err
		}
		field, variant, ofVariant := strings.Cut(key, ".")
		target := experiment
		if ofVariant {
			if variants[variant] == nil {
				variants[variant] = map[string]any{}
			}
			target = variants[variant]
		}
		if _, twice := target[field]; twice {
			return nil, fmt.Errorf("%s is given twice", key)
		}
		target[field] = value
	}
	if len(variants) > 0 {
		experiment["variants"] = variants
	}
	return json.Marshal(map[string]any{"experiments": map[string]any{name: experiment}})
}

// setValue reads the value of a key; nil, which takes the key out, where it is empty.
func setValue(key, text string) (any, error) {
	name := key
	if field, variant, ofVariant := strings.Cut(key, "."); ofVariant && variant != "" {
		name = field + "."
	}
	read, known := setters[name]
	if !known || strings.HasSuffix(key, ".") {
		return nil, fmt.Errorf("%q is no key that can be set: there are state, ramp, start, end, and weight.VARIANT, version.VARIANT, label.VARIANT, sample.VARIANT; for others use `gateway experiments edit`", key)
	}
	if text == "" {
		return nil, nil
	}
	v, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return v, nil
}

func textValue(text string) (any, error) { return text, nil }

func percentValue(value string) (any, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
	if err != nil || !(v >= 0 && v <= 100) {
		return nil, fmt.Errorf("%q is not a share in percent, 0 to 100", value)
	}
	return v, nil
}

func wholeValue(value string) (any, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("%q is not a whole number", value)
	}
	return n, nil
}

// rampSteps reads 5,50@2027-02-01T08:00:00Z.
func rampSteps(value string) (any, error) {
	var steps []abtest.RampStep
	for one := range strings.SplitSeq(value, ",") {
		text, at, _ := strings.Cut(one, "@")
		share, err := percentValue(text)
		if err != nil {
			return nil, err
		}
		steps = append(steps, abtest.RampStep{At: at, Share: new(share.(float64))})
	}
	return steps, nil
}
