package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"hotpath/models/strictyaml"
)

// Override is a value given on the command line. Flag names it in messages and
// sources, such as --listen; the default is --set.
type Override struct {
	Path  string
	Value string
	Flag  string
}

// The environment variables of the command line: the configuration file, the key that
// it sends to the admin port, or a file with it, and the authorities of the port's
// certificate. They belong to no section, so Load does not look at them.
const (
	EnvFile    = "HOTPATH_CONFIG"
	EnvKey     = "HOTPATH_API_KEY"
	EnvKeyFile = "HOTPATH_API_KEY_FILE"
	EnvCAFile  = "HOTPATH_CA_FILE"
)

var notKeys = []string{EnvFile, EnvKey, EnvKeyFile, EnvCAFile}

// maxSecretBytes bounds a file that holds a password.
const maxSecretBytes = 64 << 10

// loader collects values and what is wrong with them.
type loader struct {
	config   *Config
	leaves   []leaf
	sources  Sources
	problems strictyaml.Problems
	doc      *strictyaml.Document
	file     string
}

// Load reads the configuration: the defaults, then the file ("" for none), then
// the environment (entries as in os.Environ), then the overrides in order. The
// error is strictyaml.Problems with everything that is wrong, or that of a file
// that cannot be read; with an error there is no configuration.
func Load(file string, env []string, overrides ...Override) (*Config, Sources, error) {
	l, err := load(file, env, overrides)
	if err != nil {
		return nil, nil, err
	}
	return l.result()
}

// load reads everything and collects what is wrong. The error is that of a file
// that cannot be read.
func load(file string, env []string, overrides []Override) (*loader, error) {
	c := Default()
	l := &loader{config: c, leaves: leaves(c), sources: Sources{}, file: file}
	if file != "" {
		if err := l.readFile(); err != nil {
			return nil, err
		}
	}
	l.readEnv(env)
	l.readOverrides(overrides)
	l.readSecrets()
	for _, p := range c.Validate() {
		l.problems = append(l.problems, l.locate(p))
	}
	return l, nil
}

// result is the configuration, or everything that is wrong with it.
func (l *loader) result() (*Config, Sources, error) {
	if err := l.problems.Err(); err != nil {
		return nil, nil, err
	}
	return l.config, l.sources, nil
}

func (l *loader) readFile() error {
	data, err := readSmall(l.file, strictyaml.MaxBytes)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	err = strictyaml.Decode(l.file, data, l.config)
	var problems strictyaml.Problems
	if errors.As(err, &problems) {
		l.problems = append(l.problems, problems...)
	} else if err != nil {
		return err
	}
	// Structural problems are among those of Decode already.
	l.doc, _ = strictyaml.Parse(l.file, data)
	for _, leaf := range l.leaves {
		if line, column, exact := l.doc.Locate(leaf.path); exact {
			l.sources[leaf.path] = Source{FromFile, l.file, line, column}
		}
	}
	return nil
}

// serviceLink matches the variables that Kubernetes puts into every container
// for a Service whose name begins with hotpath. They are nobody's mistake.
var serviceLink = regexp.MustCompile(
	`^HOTPATH_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

func (l *loader) readEnv(env []string) {
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(notKeys, name) {
			continue
		}
		i := slices.IndexFunc(l.leaves, func(leaf leaf) bool { return leaf.env == name })
		if i >= 0 {
			l.set(l.leaves[i], value, Source{Kind: FromEnv, Name: name})
		} else if !serviceLink.MatchString(name) {
			l.unknown(FromEnv, name, "", name, func(leaf leaf) string { return leaf.env })
		}
	}
}

func (l *loader) readOverrides(overrides []Override) {
	for _, o := range overrides {
		flag := o.Flag
		if flag == "" {
			flag = "--set"
		}
		i := slices.IndexFunc(l.leaves, func(leaf leaf) bool { return leaf.path == o.Path })
		if i >= 0 {
			l.set(l.leaves[i], o.Value, Source{Kind: FromFlag, Name: flag})
		} else {
			l.unknown(FromFlag, flag, o.Path, o.Path, func(leaf leaf) string { return leaf.path })
		}
	}
}

// unknown reports a name that no key has, with the nearest one that has.
func (l *loader) unknown(kind SourceKind, source, path, name string, of func(leaf) string) {
	names := make([]string, len(l.leaves))
	for i, leaf := range l.leaves {
		names[i] = of(leaf)
	}
	message := "there is no such configuration key"
	if near := strictyaml.Nearest(name, names); near != "" {
		message += "; did you mean " + near + "?"
	}
	l.problems = append(l.problems, strictyaml.Problem{File: Source{Kind: kind, Name: source}.String(), Path: path, Message: message})
}

func (l *loader) set(leaf leaf, value string, from Source) {
	if err := leaf.set(value); err != nil {
		l.problems = append(l.problems, strictyaml.Problem{File: from.String(), Path: leaf.path, Message: err.Error()})
		return
	}
	l.sources[leaf.path] = from
}

var secretType = reflect.TypeFor[Secret]()

// readSecrets fills each secret whose companion <key>_file names a file. The
// secret's source becomes that of the companion.
func (l *loader) readSecrets() {
	for _, secret := range l.leaves {
		if secret.value.Type() != secretType {
			continue
		}
		i := slices.IndexFunc(l.leaves, func(other leaf) bool { return other.path == secret.path+"_file" })
		if i < 0 || l.leaves[i].value.String() == "" {
			continue
		}
		from := l.leaves[i]
		var message string
		if secret.value.String() != "" {
			message = "cannot be used together with " + secret.path + "; remove one of them"
		} else if data, err := readSmall(from.value.String(), maxSecretBytes); err != nil {
			message = err.Error()
		} else {
			secret.value.SetString(strings.TrimRight(string(data), "\r\n"))
			l.sources[secret.path] = l.sources.Of(from.path)
		}
		if message != "" {
			l.problems = append(l.problems, l.locate(Problem{from.path, message}))
		}
	}
}

// locate turns a path into the place where its value was given.
func (l *loader) locate(p Problem) strictyaml.Problem {
	out := strictyaml.Problem{Path: p.Path, Message: p.Message}
	switch s := l.sources.Of(p.Path); s.Kind {
	case FromFile:
		out.File, out.Line, out.Column = s.Name, s.Line, s.Column
	case FromEnv, FromFlag:
		out.File = s.String()
	default:
		// Not given: what else was given in its section is the likely cause.
		for at := p.Path; l.doc != nil && out.File == "" && strings.Contains(at, "."); {
			at = at[:strings.LastIndex(at, ".")]
			if line, column, exact := l.doc.Locate(at); exact {
				out.File, out.Line, out.Column = l.file, line, column
			}
		}
	}
	return out
}

// readSmall reads a file of at most limit bytes.
func readSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, nil
}
