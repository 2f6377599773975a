package router

import (
	"testing"

	"hotpath/models"
)

func TestRequestFinds(t *testing.T) {
	r := Request{
		Entities: []models.Value{{Key: []byte("merchant"), Kind: models.KindString, Raw: []byte("m9")}},
		Context:  []models.Value{{Key: []byte("age"), Kind: models.KindNumber, Raw: []byte("41")}},
	}
	if got := string(r.Entity("merchant")); got != "m9" {
		t.Errorf("entity is %q", got)
	}
	if r.Entity("Merchant") != nil || r.Entity("age") != nil {
		t.Error("found an entity that is not there")
	}
	if v, ok := r.ContextValue("age"); !ok || string(v.Raw) != "41" {
		t.Errorf("attribute is %v %v", v, ok)
	}
	if _, ok := r.ContextValue("merchant"); ok {
		t.Error("found an attribute that is not there")
	}
}

func TestRequestReset(t *testing.T) {
	r := Request{UserID: []byte("u"), Model: []byte("m"), RequestID: []byte("r"),
		Features: make([]models.Value, 30, 64), Entities: make([]models.Value, 1, keepValues+1), Scratch: make([]byte, 9, keepScratch)}
	for i := range r.Features {
		r.Features[i].Key = r.UserID
	}
	r.Reset()
	if r.UserID != nil || r.Model != nil || r.RequestID != nil || len(r.Features) != 0 || len(r.Scratch) != 0 {
		t.Errorf("not empty: %+v", r)
	}
	if cap(r.Features) != 64 || cap(r.Scratch) != keepScratch {
		t.Errorf("lost its memory: %d values, %d bytes", cap(r.Features), cap(r.Scratch))
	}
	if r.Entities != nil {
		t.Errorf("keeps room for %d entities", cap(r.Entities))
	}
	for i, v := range r.Features[:30] {
		if v.Key != nil {
			t.Errorf("feature %d still points into the body", i)
		}
	}
	r.Scratch = make([]byte, keepScratch+1)
	if r.Reset(); cap(r.Scratch) != 0 {
		t.Errorf("keeps %d bytes", cap(r.Scratch))
	}
}
