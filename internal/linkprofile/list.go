package linkprofile

import "time"

// noValues is why most profiles are hypotheses.
const noValues = "no public interoperability values were found"

// All returns every profile, the standard one first.
func All() []Profile {
	return []Profile{
		standard(),
		hypothesis("edition-2", "any control system that states Edition 2",
			"what Edition 2 fixes, two octets of cause and common address, three of object address, are the defaults; its redundancy groups are the key groups of a server"),
		hypothesis("psicontrol", "PSIcontrol",
			noValues+": the defaults of the standard. Manuals of RTUs speak of a redundancy of PSI in which all connections are active: active: all in the groups of a server"),
		hypothesis("highleit", "VIVAVIS HIGH-LEIT", noValues+": the defaults of the standard"),
		spectrum(),
		hypothesis("sicam", "Siemens SICAM A8000, ETI4",
			noValues+", no selected t, k or w: the defaults of the standard. The manuals recommend at most 10 connections"),
		hypothesis("wincc-oa", "SIMATIC WinCC OA",
			"its manual names host, port 2404, several connections for redundancy and data points for interrogation, end of initialisation and clock, but no t, k or w: the defaults of the standard"),
		hypothesis("zenon", "COPA-DATA zenon", "its values were not looked for yet: the defaults of the standard"),
		lib60870(),
		multilin(),
		prosoft(),
		cautious(),
	}
}

func hypothesis(name, title, basis string) Profile {
	p := standard()
	p.Name, p.Title, p.Standing, p.Basis, p.rests = name, title, Hypothesis, basis, map[string]string{}
	return p
}

func published(name, title, basis string) Profile {
	p := hypothesis(name, title, basis)
	p.Standing = Published
	return p
}

func spectrum() Profile {
	p := hypothesis("spectrum", "Siemens Spectrum Power and other masters of SICAM RTUs",
		noValues+"; that their RTUs have switches for SU=0, DOW=0 and OA=0 tells that some masters need them")
	p.Weekday = false
	p.rests["weekday"] = "RTUs for these masters have a switch for it, and a receiver is not to compare the day of the week"
	return p
}

func lib60870() Profile {
	p := published("lib60870", "stations and masters made with lib60870-C", "its source, version 2.4")
	p.Params.T0 = 10 * time.Second
	p.rests["t0"] = "default in its source"
	return p
}

func multilin() Profile {
	p := published("ge-multilin", "GE Multilin UR and C60 relays", "their interoperability list")
	p.Params.T0 = 120 * time.Second
	p.rests["t0"] = "selected value in their interoperability list"
	p.rests["commandAge"] = "supervision of 10 s in their interoperability list"
	return p
}

func prosoft() Profile {
	p := published("prosoft", "ProSoft 5201-104C as controlling station", "its manual: k 6, w 4, two addresses per redundancy group, the last STARTDT wins")
	p.Params.W = 4
	p.rests["w"] = "two thirds of the k of the other side, which is 6"
	return p
}

// cautious asks the least of a peer of which nothing is known.
func cautious() Profile {
	p := hypothesis("cautious", "an old or small implementation of which nothing is known",
		"RTUs have switches for DOW=0, OA=0 and qualifiers above 8, which tells that some masters need them; windows and number of objects are guesses")
	p.Params.K, p.Params.W = 8, 4
	p.MaxObjects = 16
	p.Weekday, p.MirrorOriginator = false, false
	p.UnknownQualifiers, p.LateCommands = "zero", "refuse"
	for key, why := range map[string]string{
		"k":                 "a guess: small buffers",
		"w":                 "half of k, so that a peer with a small k never waits",
		"maxObjects":        "a guess: as many as fit of the longest type",
		"weekday":           "RTUs have a switch for it",
		"originator":        "RTUs have a switch for it",
		"unknownQualifiers": "RTUs have a switch for it",
		"lateCommands":      "an operator sees a refusal, and waits for nothing",
	} {
		p.rests[key] = why
	}
	return p
}
