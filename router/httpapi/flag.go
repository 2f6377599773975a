package httpapi

import (
	"strconv"

	"hotpath/abtest"
	"hotpath/router"
	"hotpath/router/httpapi/jsonwire"
)

// flagged says that an experiment is a flag to clients: drafts are not yet one, and
// archived ones are no more.
func flagged(d *router.Decision) bool {
	s := d.Experiment.State()
	return s != abtest.Draft && s != abtest.Archived
}

// keyMissing says that a flag could not be decided since the context names nobody.
func keyMissing(x *router.Exchange, d *router.Decision) bool {
	return d.Reason == abtest.ReasonNoUnit && len(x.Request.UserID) == 0
}

// flagReason is OpenFeature's word for a reason. Where the experiment gives no value
// it is DISABLED, upon which every provider answers with the value in the client's
// code; the reason in the metadata says more. DEFAULT would read better, but is not
// among the protocol's reasons, and older providers take its missing value for one of
// the wrong type.
func flagReason(d *router.Decision) string {
	switch {
	case d.Variant == nil:
	case d.Reason == abtest.ReasonSplit, d.Reason == abtest.ReasonSticky:
		return "SPLIT"
	case d.Reason == abtest.ReasonOverride, d.Reason == abtest.ReasonForced:
		return "TARGETING_MATCH"
	}
	return "DISABLED"
}

// appendFlag adds the evaluation of one flag. The digest of the experiments is left
// out where it is nil.
func appendFlag(dst []byte, d *router.Decision, digest []byte) []byte {
	dst = jsonwire.AppendString(append(dst, `{"key":`...), d.Experiment.Name())
	reason := flagReason(d)
	if reason != "DISABLED" {
		dst = append(dst, `,"value":`...)
		if payload := d.Variant.Payload(); payload != nil {
			dst = append(dst, payload...)
		} else {
			dst = jsonwire.AppendString(dst, d.Variant.Name())
		}
		dst = jsonwire.AppendString(append(dst, `,"variant":`...), d.Variant.Name())
	}
	dst = append(append(append(dst, `,"reason":"`...), reason...), `","metadata":{"reason":"`...)
	dst = append(append(dst, d.Reason.String()...), '"')
	if d.Other != nil {
		dst = jsonwire.AppendString(append(dst, `,"decided_by":`...), d.Other.Name())
	}
	if d.Lane != nil {
		dst = jsonwire.AppendString(append(dst, `,"model":`...), d.Lane.Model)
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(d.Lane.Version), 10)
	}
	if digest != nil {
		dst = jsonwire.AppendBytes(append(dst, `,"digest":`...), digest)
	}
	return append(dst, "}}"...)
}
