// Package demo is the sample plant of `busbar demo` and the simulated
// substations that feed it.
package demo

import (
	"bytes"
	_ "embed" // the sample plant
	"fmt"
	"text/template"
)

//go:embed plant.yaml
var plantTemplate string

// Station is a simulated substation.
type Station struct {
	ID     string // prefix of its points
	Number int    // in its topics, ons/<number>/…
	Name   string
	CA     uint16 // common address
}

// Stations returns the substations of the sample plant.
func Stations() []Station {
	return []Station{
		{ID: "ons4711", Number: 4711, Name: "Local substation Mill Lane", CA: 225},
		{ID: "ons4712", Number: 4712, Name: "Local substation Harbour", CA: 226},
	}
}

// Plant returns the sample plant file for the given listen addresses.
func Plant(mqtt, iec104 string) ([]byte, error) {
	t, err := template.New("plant").Parse(plantTemplate)
	if err != nil {
		return nil, fmt.Errorf("sample plant: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		MQTT, IEC104 string
		Stations     []Station
	}{mqtt, iec104, Stations()})
	if err != nil {
		return nil, fmt.Errorf("sample plant: %w", err)
	}
	return b.Bytes(), nil
}
