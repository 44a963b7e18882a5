package iec104client

import (
	"testing"

	"busbar/internal/connector/connectortest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Case{
		Kind: Kind(),
		Good: `addresses: ["127.0.0.1:9"], gi: off`,
		Bad: map[string]string{
			``:                                    "addresses",
			`addresses: []`:                       "addresses",
			`addresses: [nonsense]`:               "addresses",
			`addresses: ["a:1", "a:1"]`:           "addresses",
			`addresses: ["a:1"], gi: 3s`:          "gi",
			`addresses: ["a:1"], counters: 7m`:    "counters",
			`addresses: ["a:1"], w: 13`:           "w",
			`addresses: ["a:1"], t2: 20s`:         "t2",
			`addresses: ["a:1"], time: Mars/Base`: "time",
			`addresses: ["a:1"], tls: {ca: x}`:    "tls",

			`addresses: ["a:1"], profile: nonsense`:                 "profile",
			`addresses: ["a:1"], octets: {cause: 3}`:                "octets.cause",
			`addresses: ["a:1"], octets: {cause: 1}, originator: 7`: "originator",
			`addresses: ["a:1"], allow: [10.0.0.1]`:                 "allow",
			`addresses: ["a:1"], listen: "127.0.0.1:1"`:             "addresses",
			`listen: "127.0.0.1:1", singleConnection: true`:         "singleConnection",
			`listen: nonsense`:                                      "listen",
			`listen: "0.0.0.0:1"`:                                   "allow",
			`listen: "0.0.0.0:1", allow: []`:                        "allow",
			`listen: "127.0.0.1:1", allow: ["CN=rtu"]`:              "allow",
		},
		Points: `a: {type: float, from: {connector: c, ca: 1, ioa: 100}}, b: {type: int, from: {connector: c, ca: "0.1", ioa: "0.0.101", as: M_EP_TD_1, part: elapsed}}`,
	})
}
