package cli

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"busbar/iec104/asdu"
)

// This file translates the JSON of the vectors, whose members follow the wire,
// to the JSON of "busbar decode", whose members follow its documentation. It is
// one table and what the table needs.

// translations tells, for each member of an object in the vectors, which
// members of the JSON it becomes.
var translations = map[string]func(got map[string]any, typ string, v any){
	"ioa":        func(got map[string]any, _ string, v any) { got["ioa"] = v },
	"value":      translateValue,
	"normalized": func(got map[string]any, _ string, v any) { got["value"] = v },
	"transient":  func(got map[string]any, _ string, v any) { got["transient"] = v },
	"elapsedMs":  func(got map[string]any, _ string, v any) { got["elapsedMs"] = v },
	"aid":        func(got map[string]any, _ string, v any) { got["aid"] = v },
	"raw":        func(got map[string]any, _ string, v any) { got["raw"] = v },
	"qualifier":  func(got map[string]any, _ string, v any) { maps.Copy(got, v.(map[string]any)) },
	"time":       func(got map[string]any, _ string, v any) { translateTime(got, v.(map[string]any)) },
	"quality":    func(got map[string]any, _ string, v any) { got["quality"] = words(v.(map[string]any)) },
	"counter": func(got map[string]any, _ string, v any) {
		c := v.(map[string]any)
		got["quality"] = words(c)
		got["counter"] = map[string]any{"sequence": c["sq"], "carry": c["cy"], "adjusted": c["ca"], "invalid": c["iv"]}
	},
	"file": func(got map[string]any, typ string, v any) { got["file"] = translateFile(typ, v.(map[string]any)) },
}

// values tells, for the types whose value is not a plain number, what it
// becomes.
var values = map[string]func(v any) any{
	"M_SP": func(v any) any { return v == 1.0 },
	"C_SC": func(v any) any { return v == 1.0 },
	"M_DP": double,
	"C_DC": double,
	"M_EP": double,
	"C_RC": func(v any) any { return map[any]string{1.0: "lower", 2.0: "higher"}[v] },
	// The vectors print these as float64, decode as the shortest float32.
	"M_ME_NC_1": short, "M_ME_TC_1": short, "M_ME_TF_1": short,
	"C_SE_NC_1": short, "C_SE_TC_1": short, "P_ME_NC_1": short,
}

func double(v any) any {
	if n, ok := v.(float64); ok {
		return [...]string{"intermediate", "off", "on", "indeterminate"}[int(n)]
	}
	return v // start events and output circuits are objects in both
}

func short(v any) any {
	n, ok := v.(float64)
	if !ok {
		return v // NaN and infinities are strings in both
	}
	var shortest float64
	if _, err := fmt.Sscan(fmt.Sprint(float32(n)), &shortest); err != nil {
		panic(err)
	}
	return shortest
}

func translateASDU(v map[string]any) map[string]any {
	cause := asdu.Cause(v["cot"].(float64))
	got := map[string]any{
		"typeId": v["typeId"], "type": v["type"], "sq": v["sq"], "count": v["count"], "cot": cause.String(), "cotId": v["cot"],
		"negative": v["pn"], "test": v["test"], "oa": v["oa"], "ca": v["ca"],
	}
	objects := []any{}
	for _, o := range v["objects"].([]any) {
		object := maps.Clone(got)
		delete(object, "sq")
		delete(object, "count")
		vector := o.(map[string]any)
		for _, member := range sortedMembers(vector) {
			translate, known := translations[member]
			if !known {
				panic("no translation for member " + member)
			}
			translate(object, v["type"].(string), vector[member])
		}
		objects = append(objects, object)
	}
	got["objects"] = objects
	return got
}

// sortedMembers returns the members, normalized behind value, which it
// replaces.
func sortedMembers(v map[string]any) []string {
	var names []string
	for name := range v {
		if name != "normalized" {
			names = append(names, name)
		}
	}
	if _, ok := v["normalized"]; ok {
		names = append(names, "normalized")
	}
	return names
}

func translateValue(got map[string]any, typ string, v any) {
	members := map[string]string{"C_TS_NA_1": "fbp", "C_CD_NA_1": "delayMs", "C_TS_TA_1": "tsc"}
	if member, ok := members[typ]; ok {
		got[member] = v
		return
	}
	for prefix, value := range values {
		if strings.HasPrefix(typ, prefix) {
			v = value(v)
			break
		}
	}
	got["value"] = v
}

func words(v map[string]any) []any {
	out := []any{}
	for _, w := range [][2]string{
		{"iv", "invalid"}, {"nt", "not-topical"}, {"sb", "substituted"}, {"bl", "blocked"},
		{"ov", "overflow"}, {"ei", "elapsed-time-invalid"}, {"cy", "carry"}, {"ca", "adjusted"},
	} {
		if v[w[0]] == true {
			out = append(out, w[1])
		}
	}
	return out
}

func translateTime(got, v map[string]any) {
	n := func(name string) int { return int(v[name].(float64)) }
	got["timeInvalid"], got["timeSubstituted"] = v["iv"], v["gen"]
	if v["format"] == "CP24Time2a" {
		got["time"] = fmt.Sprintf("%02d:%02d.%03d", n("minute"), n("ms")/1000, n("ms")%1000)
		return
	}
	at := time.Date(2000+n("year"), time.Month(n("month")), n("day"), n("hour"), n("minute"), 0, n("ms")*1e6, time.UTC)
	got["time"] = at.Format("2006-01-02T15:04:05.000Z")
	got["summerTime"], got["dayOfWeek"] = v["su"], v["dow"]
}

func translateFile(typ string, v map[string]any) map[string]any {
	got := maps.Clone(v)
	switch typ {
	case "F_FR_NA_1":
		got["frq"] = 0.0
	case "F_SR_NA_1": // the vectors call the length of the section los
		got["lof"], got["srq"] = v["los"], 0.0
		delete(got, "los")
	case "F_SG_NA_1":
		got["los"] = float64(hex.DecodedLen(len(v["data"].(string))))
	case "F_DR_TA_1":
		for _, flag := range []string{"lfd", "for", "fa"} {
			got[flag] = v[flag] == 1.0
		}
	case "F_SC_NB_1":
		for _, end := range []string{"from", "to"} {
			members := map[string]any{}
			translateTime(members, v[end].(map[string]any))
			got[end] = members
		}
	}
	return got
}
