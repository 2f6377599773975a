package identity_test

import (
	"path/filepath"
	"testing"
	"time"

	"hotpath/router/identity"
	"hotpath/router/identity/identitytest"
)

// BenchmarkAdmit is what a request with an API key pays for who it is from.
func BenchmarkAdmit(b *testing.B) {
	for name, quota := range map[string]string{"key": "", "key and quota": "    quota: {requests_per_second: 1000000, burst: 1000000}\n"} {
		b.Run(name, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "keys.yaml")
			entry, key := identitytest.Entry("ranking", "predict", quota)
			identitytest.Write(b, file, entry)
			a := identitytest.Access(b, identity.Options{KeysFile: file})
			c := withKey(key)
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Microsecond)
				if _, refusal := a.Admit(now, identity.Predict, c); refusal != nil {
					b.Fatal(refusal)
				}
			}
		})
	}
}

func TestAdmitAllocatesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	entry, key := identitytest.Entry("ranking", "predict", "    quota: {requests_per_second: 1000000}\n")
	identitytest.Write(t, file, entry)
	a := identitytest.Access(t, identity.Options{KeysFile: file})
	for name, c := range map[string]identity.Credentials{"key": withKey(key), "nobody": {Remote: here}, "unknown key": withKey(key[:len(key)-1] + "b")} {
		if n := testing.AllocsPerRun(1000, func() { _, _ = a.Admit(time.Now(), identity.Predict, c) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
