package experiments

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotpath/abtest"
)

const listed = `list_files: {staff: lists/staff.txt, beta: beta.txt}
experiments:
  - name: gbm
    model: risk
    targeting: {any: [{unit: user, in_list: beta}, {unit: user, in_list: staff}]}
    override_lists: {treatment: [staff]}
    variants:
      - {name: control, weight: 100, version: 1}
      - {name: treatment, weight: 0, version: 2}
`

// newListRig has the list files beside the experiments file.
func newListRig(t testing.TB) *rig {
	t.Helper()
	r := newRig(t, "experiments: []\n")
	if err := os.Mkdir(r.beside("lists"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.list("lists/staff.txt", "# the staff\nann\nbob\n")
	r.list("beta.txt", "carl\n")
	r.write(listed)
	if err := r.Reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) beside(name string) string { return filepath.Join(filepath.Dir(r.file), name) }

// list writes a list file, an hour ago, so that its time tells of the next change.
func (r *rig) list(name, text string) {
	r.t.Helper()
	err := os.WriteFile(r.beside(name), []byte(text), 0o644)
	if err == nil {
		past := time.Now().Add(-time.Hour - time.Duration(len(text))*time.Second)
		err = os.Chtimes(r.beside(name), past, past)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// gets names what a user gets: a variant and the reason.
func (r *rig) gets(user string) string {
	a := r.world.State().Plan.ModelExperiments("risk").Assign(&abtest.Request{User: []byte(user)})
	if a.Variant == nil {
		return a.Reason.String()
	}
	return a.Variant.Name() + " " + a.Reason.String()
}

func (r *rig) want(users map[string]string) {
	r.t.Helper()
	for user, want := range users {
		if got := r.gets(user); got != want {
			r.t.Errorf("%s gets %s, want %s", user, got, want)
		}
	}
}

func TestParseList(t *testing.T) {
	for _, c := range []struct {
		about, text, want string // values by comma, or the error
	}{
		{"lines", "a\nb\n", "a,b"},
		{"no end", "a\nb", "a,b"},
		{"an editor of Windows", "\ufeffa\r\nb c\r\n", "a,b c"},
		{"comments", "# a\n\n  # b\n \t \n a\t\nx#1\nx # y\n", "a,x#1,x # y"},
		{"nothing", "", "1:1: holds no values"},
		{"comments alone", "#\n", "1:1: holds no values"},
		{"not UTF-8", "a\nb\xff\n", "2:1: \"b\\xff\" is not UTF-8"},
		{"UTF-16", "\xff\xfea\x00\n\x00", "1:1: "},
		{"binary", "a\nb\x00c\n", "2:1: \"b\\x00c\" holds a control character"},
		{"columns", "a\tb\n", "1:1: \"a\\tb\" holds a control character"},
		{"long", "a\n\n" + strings.Repeat("x", abtest.MaxTextBytes+1), "3:1: is 257 bytes long, want at most 256"},
		{"too many", strings.Repeat("a\n", abtest.MaxListValues+1), "1000001:1: more than 1000000 values"},
	} {
		values, err := parseList([]byte(c.text))
		if err != nil && !strings.HasPrefix(err.Error(), c.want) || err == nil && strings.Join(values, ",") != c.want {
			t.Errorf("%s: %v %v, want %s", c.about, values, err, c.want)
		}
	}
	_, err := parseList([]byte(strings.Repeat("\x01\n", 50)))
	if n := strings.Count(err.Error(), "\n") + 1; n != maxListProblems {
		t.Errorf("%d problems of a file, want %d", n, maxListProblems)
	}
}

// The reference in Python reads a list file alike.
func TestReferenceReadsListsAlike(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("no python3: the reference was not run")
		return
	}
	file := filepath.Join(t.TempDir(), "list.txt")
	text := "\ufeffone\r\n# two\n\n \tthree \r\nfo ur#4\n\u00a0five\u2028\nsix"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-B", "-c", "import sys, json; sys.path.insert(0, '../../../../abtest/testdata'); from reference import read_list\n"+
		"print(json.dumps(sorted(read_list(sys.argv[1]))))", file).CombinedOutput()
	var theirs []string
	if err != nil || json.Unmarshal(out, &theirs) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ours, err := parseList([]byte(text))
	slices.Sort(ours)
	if err != nil || len(ours) != 5 || strings.Join(theirs, ",") != strings.Join(ours, ",") {
		t.Errorf("%q %v, the reference %q", ours, err, theirs)
	}
}

func TestAChangedListIsAReload(t *testing.T) {
	r := newListRig(t)
	r.want(map[string]string{"ann": "treatment override", "carl": "control split", "dora": "not_targeted"})
	was, digest := r.history.list()[0], r.world.State().Plan.Digest()
	if len(was.Lists) != 2 || was.Lists["staff"].Values != 2 || !slices.Equal(was.ListsChanged, []string{"beta", "staff"}) {
		t.Errorf("%+v", was)
	}
	r.list("lists/staff.txt", "bob\n ann # both\n") // a value of its own
	if err := r.Reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	r.want(map[string]string{"ann": "not_targeted", "bob": "treatment override"})
	now := r.history.list()[0]
	if now.Number != was.Number+1 || now.ETag != was.ETag || now.Digest == was.Digest || now.Added+now.Removed != 0 ||
		!slices.Equal(now.ListsChanged, []string{"staff"}) || now.Lists["beta"] != was.Lists["beta"] || now.Via != ViaFile {
		t.Errorf("%+v after %+v", now, was)
	}
	// The same values in another order, with comments: read, and the same plan.
	r.list("lists/staff.txt", "# none\nbob\nann\nann\n")
	if err := r.Reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := r.world.State().Plan.Digest(); got != digest || len(r.history.list()) != 4 {
		t.Errorf("digest %s, want %s; %d revisions", got, digest, len(r.history.list()))
	}
	set := r.world.set
	if err := r.Reload(t.Context(), false); err != nil || r.world.set != set {
		t.Errorf("nothing changed, and it is a reload: %v", err)
	}
	// Restoring brings the file's text back, and not the lists.
	if _, err := r.Restore(t.Context(), was.Number, r.edit()); err != nil || r.gets("ann") != "treatment override" {
		t.Errorf("restore: %v", err)
	}
}

func TestAListThatIsWrongChangesNothing(t *testing.T) {
	for _, c := range []struct {
		about string
		spoil func(r *rig)
		want  string
	}{
		{"missing", func(r *rig) { r.must(os.Remove(r.beside("beta.txt"))) }, "experiments.yaml:1:44: list_files.beta: beta.txt cannot be opened: no such file"},
		{"empty", func(r *rig) { r.list("beta.txt", "") }, "beta.txt:1:1: list_files.beta: holds no values"},
		{"broken", func(r *rig) { r.list("lists/staff.txt", "ann\nb\x00b\n") }, "lists/staff.txt:2:1: list_files.staff: \"b\\x00b\" holds a control character"},
		{"too large", func(r *rig) { r.must(os.Truncate(r.beside("beta.txt"), maxListBytes+1)) }, "list_files.beta: the list files are over the limit of 64 MiB in all"},
		{"a directory", func(r *rig) { r.must(os.Remove(r.beside("beta.txt"))); r.must(os.Mkdir(r.beside("beta.txt"), 0o755)) }, "beta.txt is not a regular file"},
		{"a pipe", func(r *rig) {
			r.must(os.Remove(r.beside("beta.txt")))
			r.must(syscall.Mkfifo(r.beside("beta.txt"), 0o644))
		}, "beta.txt is not a regular file"},
		{"a link out", func(r *rig) {
			outside := filepath.Join(r.t.TempDir(), "beta.txt")
			r.must(os.WriteFile(outside, []byte("eve\n"), 0o644))
			r.must(os.Remove(r.beside("beta.txt")))
			r.must(os.Symlink(outside, r.beside("beta.txt")))
		}, "list_files.beta: beta.txt cannot be opened: path escapes from parent"},
		{"a path out", func(r *rig) { r.write(strings.Replace(listed, "beta.txt", "lists/../../x", 1)) }, `"lists/../../x" is not below the directory`},
		{"an absolute path", func(r *rig) { r.write(strings.Replace(listed, "beta.txt", "/etc/hostname", 1)) }, `"/etc/hostname" is not below the directory`},
		{"no path", func(r *rig) { r.write(strings.Replace(listed, "beta.txt", `""`, 1)) }, `"" is not below the directory`},
	} {
		t.Run(c.about, func(t *testing.T) {
			r := newListRig(t)
			c.spoil(r)
			for range 2 {
				if err := r.Reload(t.Context(), false); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %s", err, c.want)
				}
			}
			if _, err := r.Last(); err == nil || strings.Count(r.log.String(), "experiments refused") != 1 {
				t.Errorf("%v, log %s", err, r.log.String())
			}
			r.want(map[string]string{"ann": "treatment override", "carl": "control split", "eve": "not_targeted"})
			if _, err := r.Check(t.Context(), []byte(r.onTheDisk()), Subjects{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("check: %v, want %s", err, c.want)
			}
			if _, err := Compile(r.file, []byte(r.onTheDisk())); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("compile: %v, want %s", err, c.want)
			}
			r.must(os.RemoveAll(r.beside("beta.txt")))
			r.list("lists/staff.txt", "ann\n")
			r.list("beta.txt", "dora\n")
			r.write(listed)
			if err := r.Reload(t.Context(), false); err != nil {
				t.Error(err)
			}
			r.want(map[string]string{"bob": "not_targeted", "dora": "control split"})
		})
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// A write within one step of the file system's clock shows in no time.
func TestAListThatChangesTwiceAtOnceIsSeen(t *testing.T) {
	r := newListRig(t)
	now := time.Now()
	for i, user := range []string{"eve1", "eve2", "eve3"} {
		r.must(os.WriteFile(r.beside("beta.txt"), []byte(user+"\n"), 0o644))
		r.must(os.Chtimes(r.beside("beta.txt"), now, now))
		if err := r.Reload(t.Context(), false); err != nil || r.gets(user) != "control split" {
			t.Errorf("change %d: %v, %s", i, err, r.gets(user))
		}
	}
	// What lies about its time is read when asked.
	past := time.Now().Add(-time.Hour)
	for i, user := range []string{"eve4", "eve5"} {
		r.must(os.WriteFile(r.beside("beta.txt"), []byte(user+"\n"), 0o644))
		r.must(os.Chtimes(r.beside("beta.txt"), past, past))
		if err := r.Reload(t.Context(), i == 1); err != nil || r.gets(user) != "control split" {
			t.Errorf("change %d: %v, %s", i, err, r.gets(user))
		}
	}
}

func TestAListThatDidNotChangeIsKept(t *testing.T) {
	r := newListRig(t)
	before := maps.Clone(r.read.lists.known)
	r.write(strings.Replace(listed, "weight: 100", "weight: 90", 1))
	r.write(strings.Replace(strings.Replace(listed, "weight: 100", "weight: 90", 1), "weight: 0", "weight: 10", 1))
	if err := r.Reload(t.Context(), false); err != nil || !maps.Equal(before, r.read.lists.known) || len(before) != 2 {
		t.Errorf("%v: lists were read again, or %d are known", err, len(before))
	}
	r.write(strings.Replace(listed, ", beta: beta.txt", "", 1) + "# beta is gone\n")
	if err := r.Reload(t.Context(), false); err == nil || len(r.read.lists.known) != 1 {
		t.Errorf("%v, %d lists are kept", err, len(r.read.lists.known))
	}
}

func TestEditsReadTheLists(t *testing.T) {
	r := newListRig(t)
	r.list("lists/staff.txt", "dora\n")
	// The file is as it serves, and the list is not: saving it serves the list.
	out, err := r.Save(t.Context(), []byte(listed), r.edit())
	if err != nil || out.Revision != 3 || r.gets("dora") != "treatment override" || r.gets("ann") != "not_targeted" {
		t.Errorf("%+v %v", out, err)
	}
	if last := r.history.list()[0]; !slices.Equal(last.ListsChanged, []string{"staff"}) || last.Who != "alice" {
		t.Errorf("%+v", last)
	}
	if err := r.Reload(t.Context(), false); err != nil || len(r.history.list()) != 3 {
		t.Errorf("the same once more: %v, %+v", err, r.history.list())
	}
	r.list("more.txt", "ann\nfred\n")
	patch := []byte(`{"list_files":{"beta":null,"staff":"more.txt"},"experiments":{"gbm":{"targeting":null}}}`)
	dry := r.edit()
	dry.DryRun, dry.Preview.Users = true, []string{"ann", "fred", "dora"}
	out, err = r.Patch(t.Context(), patch, dry)
	if err != nil || out.Preview.Moved != 3 || r.gets("fred") != "not_targeted" {
		t.Errorf("%+v %v", out, err)
	}
	if _, err = r.Patch(t.Context(), patch, r.edit()); err != nil || r.gets("fred") != "treatment override" {
		t.Errorf("%v", err)
	}
	refusal := r.edit()
	_, err = r.Patch(t.Context(), []byte(`{"list_files":{"staff":"gone.txt"}}`), refusal)
	refused(t, err, CodeBadExperiments, "list_files.staff", "gone.txt")
	if r.gets("fred") != "treatment override" || strings.Contains(r.onTheDisk(), "gone.txt") {
		t.Error("a refused edit changed something")
	}
}
