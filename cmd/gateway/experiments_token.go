package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hotpath/abtest"
	"hotpath/cmd/gateway/internal/config"
)

// forcingToken is what `gateway experiments token` makes.
type forcingToken struct {
	Token      string    `json:"token"`
	Experiment string    `json:"experiment"`
	Variant    string    `json:"variant"`
	Expires    time.Time `json:"expires"`
	Header     string    `json:"header"`
}

func newExperimentsTokenCommand(a *app) *cobra.Command {
	var format outputFormat
	var keyFile, header string
	var lasts time.Duration
	c := &cobra.Command{
		Use:   "token EXPERIMENT/VARIANT",
		Short: "Sign a token that lets a tester see one variant",
		Long: "Sign a token with which a request gets one variant, whoever it is for, until the token expires. The gateway takes\n" +
			"it in the header of forced variants if it has the same key (experiments.force_key_file), also where others may\n" +
			"not force. This is done here; no gateway is asked. The first line of the key file signs, so that a new key is\n" +
			"put before the old one, and the old one is taken out when its tokens have expired.",
		Example: "  gateway experiments token risk-gbm/treatment --key-file force.key --for 24h",
		Args:    takes(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			experiment, variant, ok := strings.Cut(args[0], "/")
			if !ok {
				return wrongf("%q is not EXPERIMENT/VARIANT, as in risk-gbm/treatment", args[0])
			}
			if lasts < time.Second {
				return wrongf("--for %s is less than a second", lasts)
			}
			key, err := a.readInput(keyFile)
			if err != nil {
				return err
			}
			first, _, _ := bytes.Cut(bytes.TrimSpace(key), []byte("\n"))
			expires := time.Now().Add(lasts).Truncate(time.Second).UTC()
			token, err := abtest.ForceToken(bytes.TrimSpace(first), experiment, variant, expires.Unix())
			if err != nil {
				return wrongf("%s, %s: %w", keyFile, args[0], err)
			}
			body, err := json.Marshal(forcingToken{token, experiment, variant, expires, header})
			if err != nil {
				return err
			}
			return answer(a, format, body, tokenText)
		},
	}
	c.Flags().StringVar(&keyFile, "key-file", "", "`file` with the key, at least 16 bytes on its first line (needed)")
	c.Flags().DurationVar(&lasts, "for", 24*time.Hour, "how long the token is good")
	c.Flags().StringVar(&header, "header", config.Default().Experiments.ForcedVariantHeader, "`name` of the header, as in experiments.forced_variant_header")
	format.addTo(c)
	if err := c.MarkFlagRequired("key-file"); err != nil {
		panic(err) // the flag is some lines above
	}
	return c
}

func tokenText(w io.Writer, t forcingToken) {
	fmt.Fprintf(w, "%s\n\n%s/%s until %s, for example:\n", t.Token, t.Experiment, t.Variant, t.Expires.Format(time.RFC3339))
	fmt.Fprintf(w, "  curl -s http://127.0.0.1:8080/predict -H '%s: %s' -d '{\"user_id\":\"user-42\"}'\n", t.Header, t.Token)
}
