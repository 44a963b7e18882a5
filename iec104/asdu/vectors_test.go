package asdu_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// A vector is one APDU that a protocol analyser and, for most, a second
// implementation have decoded. The structs name every member of the file, so
// that one that is not compared is an error.
type vector struct {
	ID, Name, Direction, Note string
	Hex                       string
	APCI                      struct {
		Format, Function string
		NS, NR           apci.Seq
	}
	ASDU     *vectorASDU
	Verified map[string]string
}

type vectorASDU struct {
	Type     string
	TypeID   asdu.TypeID
	SQ       bool
	Count    uint8
	COT      asdu.Cause
	PN, Test bool
	OA       uint8
	CA       uint16
	Objects  []vectorObject
}

type vectorObject struct {
	IOA        uint32
	Value      json.RawMessage
	Normalized *float64
	Transient  bool
	Quality    struct{ OV, EI, BL, SB, NT, IV bool }
	Counter    struct {
		SQ         uint8
		CY, CA, IV bool
	}
	Qualifier struct {
		QU, QL, QOI, RQT, FRZ, QRP, QPA, COI, KPA uint8
		Select, LocalParamChange, LPC, POP        bool
	}
	ElapsedMs uint16
	AID       uint16
	Time      *vectorTime
	File      *vectorFile
	Raw       string
}

type vectorTime struct {
	Format                                  string
	Year, Month, Day, DOW, Hour, Minute, Ms int
	IV, SU, Gen                             bool
}

type vectorFile struct {
	NOF                uint16
	NOS                uint8
	LOF, LOS           uint32
	SCQ, AFQ, LSQ, CHS uint8
	Err, Status        uint8
	LFD, For, FA       uint8
	Negative, NotReady bool
	Data               string
	From, To           *vectorTime
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var all []vector
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 128 {
		t.Fatalf("%d vectors, want 128", len(all))
	}
	return all
}

func (v vector) octets(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(v.ID, err)
	}
	return b
}

func (a *vectorASDU) header() asdu.Header {
	return asdu.Header{Type: a.TypeID, Cause: a.COT, Negative: a.PN, Test: a.Test, SQ: a.SQ, N: a.Count, OA: a.OA, CA: a.CA}
}

func (v *vectorTime) time() asdu.Time {
	if v == nil {
		return 0
	}
	return asdu.Clock{
		Year: v.Year, Month: v.Month, Day: v.Day, Weekday: v.DOW, Hour: v.Hour, Minute: v.Minute, Millisecond: v.Ms,
		Invalid: v.IV, Substituted: v.Gen, Summer: v.SU,
	}.Time()
}

// object builds the object that the vector describes.
func (v *vectorObject) object(t *testing.T, typ asdu.TypeID) asdu.Object {
	t.Helper()
	o := asdu.Object{
		IOA:       v.IOA,
		Value:     v.value(t, typ),
		Time:      v.Time.time(),
		Elapsed:   v.ElapsedMs,
		AID:       v.AID,
		Transient: v.Transient,
		Sequence:  v.Counter.SQ,
		Select:    v.Qualifier.Select,
		Data:      v.data(t, typ),
	}
	for bit, on := range map[asdu.Quality]bool{
		asdu.OV: v.Quality.OV, asdu.EI: v.Quality.EI, asdu.BL: v.Quality.BL, asdu.SB: v.Quality.SB,
		asdu.NT: v.Quality.NT, asdu.IV: v.Quality.IV || v.Counter.IV, asdu.CY: v.Counter.CY, asdu.CA: v.Counter.CA,
	} {
		if on {
			o.Quality |= bit
		}
	}
	q := v.Qualifier
	o.Qualifier = q.QU | q.QL | q.QOI | q.QRP | q.QPA | q.COI | flag(q.LocalParamChange, 7) |
		q.RQT | q.FRZ<<6 | q.KPA | flag(q.LPC, 6) | flag(q.POP, 7)
	return o
}

func flag(on bool, place int) uint8 {
	if on {
		return 1 << place
	}
	return 0
}

func (v *vectorObject) value(t *testing.T, typ asdu.TypeID) uint32 {
	t.Helper()
	if v.Value == nil {
		return 0
	}
	var (
		value any
		n     float64
	)
	if err := json.Unmarshal(v.Value, &value); err != nil {
		t.Fatal(err)
	}
	switch value := value.(type) {
	case string:
		n = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[value]
	case float64:
		n = value
	case map[string]any:
		return packed(value)
	}
	switch typ.Untagged() {
	case asdu.M_ME_NC_1, asdu.C_SE_NC_1, asdu.P_ME_NC_1:
		if math.IsNaN(n) {
			return 0x7FC00000 // the NaN on the wire
		}
		return math.Float32bits(float32(n))
	}
	return uint32(int64(n))
}

// packed returns the bits of a value with names.
func packed(value map[string]any) uint32 {
	if st, ok := value["st"].(float64); ok {
		return uint32(st) | uint32(value["cd"].(float64))<<16
	}
	var bits uint32
	for place, names := range [][2]string{{"gs", "gc"}, {"sl1", "cl1"}, {"sl2", "cl2"}, {"sl3", "cl3"}, {"sie"}, {"srd"}} {
		if value[names[0]] == true || value[names[1]] == true {
			bits |= 1 << place
		}
	}
	return bits
}

func (v *vectorObject) data(t *testing.T, typ asdu.TypeID) []byte {
	t.Helper()
	if v.File == nil {
		return unhex(t, v.Raw)
	}
	f := v.File
	switch typ {
	case asdu.F_FR_NA_1:
		return asdu.FileReady{Name: f.NOF, Length: f.LOF, Negative: f.Negative}.Append(nil)
	case asdu.F_SR_NA_1: // the vectors call the length of a section los
		return asdu.SectionReady{Name: f.NOF, Section: f.NOS, Length: f.LOS, NotReady: f.NotReady}.Append(nil)
	case asdu.F_SC_NA_1, asdu.F_AF_NA_1:
		return asdu.FileAction{Name: f.NOF, Section: f.NOS, Action: f.SCQ | f.AFQ, Error: f.Err}.Append(nil)
	case asdu.F_LS_NA_1:
		return asdu.LastSection{Name: f.NOF, Section: f.NOS, Qualifier: f.LSQ, Checksum: f.CHS}.Append(nil)
	case asdu.F_SG_NA_1:
		return asdu.Segment{Name: f.NOF, Section: f.NOS, Content: unhex(t, f.Data)}.Append(nil)
	case asdu.F_DR_TA_1:
		return asdu.DirectoryEntry{
			Name: f.NOF, Length: f.LOF, Status: f.Status, Last: f.LFD == 1, Directory: f.For == 1, Transferred: f.FA == 1,
		}.Append(nil)
	case asdu.F_SC_NB_1:
		return asdu.LogQuery{Name: f.NOF, From: f.From.time(), To: f.To.time()}.Append(nil)
	}
	t.Fatalf("file in an object of %v", typ)
	return nil
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectorsDecode(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			octets := v.octets(t)
			f, n, err := apci.Parse(octets)
			if err != nil || n != len(octets) || f.Reserved {
				t.Fatalf("apci.Parse = %+v, %d, %v, want all %d octets", f, n, err, len(octets))
			}
			function := ""
			if f.Format == apci.FormatU {
				function = f.Function.String()
			}
			if f.Format.String() != v.APCI.Format || function != v.APCI.Function || f.NS != v.APCI.NS || f.NR != v.APCI.NR {
				t.Fatalf("apci.Parse = %+v, want %+v", f, v.APCI)
			}
			if v.ASDU == nil {
				return
			}
			a, err := asdu.Parse(f.ASDU, asdu.Sizes{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a.Header, v.ASDU.header()); diff != "" {
				t.Errorf("header (-got +want):\n%s", diff)
			}
			if name := a.Type.String(); name != v.ASDU.Type && (v.ASDU.Type != "unknown" || name != "52") {
				t.Errorf("type is %s, want %s", name, v.ASDU.Type)
			}
			got := a.AppendObjects(nil)
			if diff := cmp.Diff(got, v.objects(t)); diff != "" {
				t.Errorf("objects (-got +want):\n%s", diff)
			}
			for i := range got {
				if want := v.ASDU.Objects[i].Time; want != nil && timeFormats[want.Format] != a.Type.Time() {
					t.Errorf("object %d: time format %v, want %s", i, a.Type.Time(), want.Format)
				}
				if want := v.ASDU.Objects[i].Normalized; want != nil && got[i].Normalized() != *want {
					t.Errorf("object %d: normalised %v, want %v", i, got[i].Normalized(), *want)
				}
			}
		})
	}
}

var timeFormats = map[string]asdu.TimeFormat{"CP24Time2a": asdu.CP24, "CP56Time2a": asdu.CP56}

func (v vector) objects(t *testing.T) []asdu.Object {
	t.Helper()
	var objs []asdu.Object
	for i := range v.ASDU.Objects {
		objs = append(objs, v.ASDU.Objects[i].object(t, v.ASDU.TypeID))
	}
	return objs
}

func TestVectorsEncode(t *testing.T) {
	t.Parallel()
	functions := map[string]apci.Function{}
	for _, f := range []apci.Function{
		apci.StartDTAct, apci.StartDTCon, apci.StopDTAct, apci.StopDTCon, apci.TestFRAct, apci.TestFRCon,
	} {
		functions[f.String()] = f
	}
	for _, v := range vectors(t) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			var got []byte
			switch v.APCI.Format {
			case "U":
				got = apci.AppendU(nil, functions[v.APCI.Function])
			case "S":
				got = apci.AppendS(nil, v.APCI.NR)
			default:
				body, err := asdu.Append(nil, asdu.Sizes{}, v.ASDU.header(), v.objects(t))
				if err != nil {
					t.Fatal(err)
				}
				got = apci.AppendI(nil, v.APCI.NS, v.APCI.NR, body)
			}
			if hex.EncodeToString(got) != v.Hex {
				t.Errorf("encoded %x, want %s", got, v.Hex)
			}
		})
	}
}

// TestVectorsCoverTypes fails for a type identification that is registered but
// has no vector.
func TestVectorsCoverTypes(t *testing.T) {
	t.Parallel()
	covered := map[asdu.TypeID]bool{}
	for _, v := range vectors(t) {
		if v.ASDU != nil {
			covered[v.ASDU.TypeID] = true
		}
	}
	for id := range 256 {
		if typ := asdu.TypeID(id); typ.Known() && !covered[typ] {
			t.Errorf("%v has no vector", typ)
		}
	}
}

// TestVectorsPermitCauses checks the causes of the table against those that
// the vectors use in their direction.
func TestVectorsPermitCauses(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		if v.ASDU == nil || !v.ASDU.TypeID.Known() {
			continue
		}
		d := asdu.Monitor
		if v.Direction == "control" {
			d = asdu.Control
		}
		if !v.ASDU.TypeID.Permits(v.ASDU.COT, d) {
			t.Errorf("%s: %v does not permit %v in direction %s", v.ID, v.ASDU.TypeID, v.ASDU.COT, v.Direction)
		}
	}
}
