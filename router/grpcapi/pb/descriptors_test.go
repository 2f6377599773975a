package pb_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"hotpath/router/grpcapi/pb"
)

// theirs reads the protocol as a client of Triton has it; see testdata/descriptors.py.
func theirs(t *testing.T) map[string]string {
	file, err := os.Open("testdata/descriptors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		name, what, _ := strings.Cut(rest, " ")
		all[kind+" "+name] = what
	}
	if err := lines.Err(); err != nil || len(all) < 200 {
		t.Fatalf("%d lines: %v", len(all), err)
	}
	return all
}

// What we have is as a client has it: it can lack fields, but no number can differ.
func TestTheProtocolIsTheClients(t *testing.T) {
	want := theirs(t)
	seen := 0
	check := func(kind string, name protoreflect.FullName, what string) {
		seen++
		if got, ok := want[kind+" "+string(name)]; got != what {
			t.Errorf("%s %s is %s; a client has %q (%v)", kind, name, what, got, ok)
		}
	}
	for _, file := range []protoreflect.FileDescriptor{pb.File_grpc_service_proto, pb.File_model_config_proto} {
		if file.Package() != "inference" {
			t.Errorf("%s is in package %s", file.Path(), file.Package())
		}
		for i := range file.Messages().Len() {
			checkMessage(file.Messages().Get(i), check)
		}
		checkEnums(file.Enums(), check)
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				check("method", m.FullName(), fmt.Sprintf("%s %s %s %s", m.Input().FullName(), m.Output().FullName(), flow(m.IsStreamingClient()), flow(m.IsStreamingServer())))
			}
		}
	}
	if seen < 150 {
		t.Errorf("only %d descriptors were compared", seen)
	}
}

func flow(stream bool) string {
	if stream {
		return "stream"
	}
	return "one"
}

func checkMessage(m protoreflect.MessageDescriptor, check func(kind string, name protoreflect.FullName, what string)) {
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		kind := f.Kind().String()
		switch {
		case f.Message() != nil:
			kind = string(f.Message().FullName())
		case f.Enum() != nil:
			kind = string(f.Enum().FullName())
		}
		label := "single"
		if f.Cardinality() == protoreflect.Repeated {
			label = "repeated"
		}
		check("field", f.FullName(), fmt.Sprintf("%d %s %s", f.Number(), label, kind))
	}
	for i := range m.Messages().Len() {
		checkMessage(m.Messages().Get(i), check)
	}
	checkEnums(m.Enums(), check)
}

func checkEnums(enums protoreflect.EnumDescriptors, check func(kind string, name protoreflect.FullName, what string)) {
	for i := range enums.Len() {
		values := enums.Get(i).Values()
		for j := range values.Len() {
			v := values.Get(j)
			check("value", enums.Get(i).FullName()+"."+protoreflect.FullName(v.Name()), fmt.Sprint(v.Number()))
		}
	}
}
