package iec104keys

import (
	"strconv"
	"strings"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
)

// JSONSchema implements plant.Describer.
func (CommonAddress) JSONSchema() connector.Schema {
	return addressSchema(65534, `^(0[xX][0-9a-fA-F]+|[0-9]+(\.[0-9]+)?)$`)
}

// JSONSchema implements plant.Describer.
func (ObjectAddress) JSONSchema() connector.Schema {
	return addressSchema(asdu.MaxIOA, `^(0[xX][0-9a-fA-F]+|[0-9]+(\.[0-9]+\.[0-9]+)?)$`)
}

// addressSchema is for addresses as numbers and texts. A structured one of two octets may look
// like a number with a fraction.
func addressSchema(high int, pattern string) connector.Schema {
	return connector.Schema{"type": []string{"number", "string"}, "exclusiveMinimum": 0, "maximum": high, "pattern": pattern}
}

// JSONSchema implements plant.Describer.
func (CommandType) JSONSchema() connector.Schema {
	return TypeSchema(func(t asdu.TypeID) bool { return Carries(t) != nil })
}

// TypeSchema returns the schema of a type identification, as mnemonic or number, that a
// function accepts.
func TypeSchema(accepts func(asdu.TypeID) bool) connector.Schema {
	var names, numbers []any
	var digits []string
	for i := 1; i < 256; i++ {
		if t := asdu.TypeID(i); t.Known() && accepts(t) {
			names, numbers, digits = append(names, t.String()), append(numbers, i), append(digits, strconv.Itoa(i))
		}
	}
	quoted := connector.Schema{"type": "string", "pattern": "^0*(" + strings.Join(digits, "|") + ")$"}
	return connector.Schema{"anyOf": []connector.Schema{{"enum": append(names, numbers...)}, quoted}}
}

// JSONSchema implements plant.Describer.
func (Zone) JSONSchema() connector.Schema {
	return connector.Schema{"type": "string", "examples": []string{"utc", "local", "Europe/Berlin"}}
}

// JSONSchema implements plant.Describer.
func (Allow) JSONSchema() connector.Schema {
	list := connector.Schema{"type": "array", "items": connector.TextSchema(), "minItems": 1}
	return connector.Schema{"anyOf": []connector.Schema{list, {"const": "any"}}}
}
