package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"busbar/internal/auth"
	"busbar/internal/plantdoc/address"
)

// registerAddresses registers the routes of the address plan.
func registerAddresses(a *api) {
	register(a, op{
		ID: "getAddressReport", Method: http.MethodGet, Path: "/addresses/report", Tag: "addresses", Role: auth.Viewer,
		Summary:     "How the addresses of each station are used",
		Description: "For each server and common address: ranges of information object addresses that are taken, gaps between them, and addresses that several points or commands have.",
	}, a.addressReport)
	register(a, op{
		ID: "getNextAddresses", Method: http.MethodGet, Path: "/addresses/next", Tag: "addresses", Role: auth.Viewer,
		Summary: "Free addresses",
		Description: "The lowest information object addresses of a server and common address that nothing has. They are not reserved. " +
			"409: there are not so many. `class` or `as` say whose range, where the addresses in use of a class lie.",
		Errors: []int{http.StatusConflict},
	}, a.nextAddresses)
}

type reportInput struct {
	Server string `query:"server" maxLength:"63" doc:"Only this connector"`
	CA     string `query:"ca" maxLength:"20" doc:"Only this common address: decimal, 0x00E1 or 0.225"`
}

// Station is what is known of one common address of a server.
type Station struct {
	Server       string       `json:"server" doc:"Id of the connector"`
	CA           int          `json:"ca"`
	CAStructured string       `json:"caStructured" example:"0.225"`
	Points       AddressUsage `json:"points"`
	Commands     AddressUsage `json:"commands"`
}

// AddressUsage is how addresses are used. Of each list there are the first 1000.
type AddressUsage struct {
	Count      int                `json:"count" doc:"Of points or commands, once for each of their addresses"`
	Ranges     []AddressRange     `json:"ranges" nullable:"false" doc:"Consecutive addresses that are taken"`
	Gaps       []AddressRange     `json:"gaps" nullable:"false" doc:"Between the ranges"`
	Duplicates []AddressDuplicate `json:"duplicates" nullable:"false" doc:"Addresses that are taken more than once"`
}

// AddressRange is a range of information object addresses.
type AddressRange struct {
	First Address `json:"first"`
	Last  Address `json:"last"`
	Count int     `json:"count" doc:"Addresses in the range"`
}

// Address is an information object address as it can be written.
type Address struct {
	IOA        int    `json:"ioa"`
	Structured string `json:"structured" example:"0.0.100"`
	Hex        string `json:"hex" example:"0x000064"`
}

// AddressDuplicate is an address that is taken more than once.
type AddressDuplicate struct {
	Address Address      `json:"address"`
	Uses    []AddressUse `json:"uses" nullable:"false"`
}

// AddressUse is an end that has an address.
type AddressUse struct {
	Section string `json:"section" enum:"points,commands"`
	ID      string `json:"id"`
	Path    string `json:"path" doc:"Of the end in the object" example:"to[0]"`
}

type reportOutput struct {
	Body struct {
		Stations []Station `json:"stations" nullable:"false"`
	}
}

func addressOf(ioa uint32) Address {
	return Address{IOA: int(ioa), Structured: address.StructuredIOA(ioa), Hex: address.HexIOA(ioa)}
}

func (a *api) addressReport(ctx context.Context, in *reportInput) (*reportOutput, error) {
	ca, err := commonAddress(in.CA)
	if err != nil {
		return nil, err
	}
	uses, err := a.uses(ctx)
	if err != nil {
		return nil, err
	}
	out := &reportOutput{}
	out.Body.Stations = []Station{}
	for _, s := range address.Report(uses) {
		if in.Server != "" && s.Server != in.Server || ca != 0 && s.CA != ca {
			continue
		}
		out.Body.Stations = append(out.Body.Stations, Station{
			Server: s.Server, CA: int(s.CA), CAStructured: address.StructuredCA(s.CA), Points: usageOf(&s.Points), Commands: usageOf(&s.Commands),
		})
	}
	return out, nil
}

// commonAddress reads a common address; 0 is none.
func commonAddress(text string) (uint16, error) {
	ca, ok := address.ParseCA(text)
	if text != "" && !ok {
		return 0, invalid("the common address cannot be read", Fault{
			Location: "query.ca", Message: "want a number from 1 to 65534, or structured such as 0.225", Value: text,
		})
	}
	return ca, nil
}

func (a *api) uses(ctx context.Context) ([]address.Use, error) {
	objs, _, err := a.deps.Store.Document(ctx)
	if err != nil {
		return nil, err
	}
	return address.Uses(slices.Values(objs)), nil
}

func usageOf(u *address.Usage) AddressUsage {
	out := AddressUsage{Count: u.Count, Ranges: rangesOf(u.Ranges), Gaps: rangesOf(u.Gaps), Duplicates: []AddressDuplicate{}}
	for _, d := range first(u.Duplicates) {
		dup := AddressDuplicate{Address: addressOf(d.IOA), Uses: []AddressUse{}}
		for _, use := range first(d.Uses) {
			dup.Uses = append(dup.Uses, AddressUse{Section: string(use.Section), ID: use.ID, Path: use.Path})
		}
		out.Duplicates = append(out.Duplicates, dup)
	}
	return out
}

func rangesOf(ranges []address.Range) []AddressRange {
	out := []AddressRange{}
	for _, r := range first(ranges) {
		out = append(out, AddressRange{First: addressOf(r.First), Last: addressOf(r.Last), Count: r.Size()})
	}
	return out
}

// first returns the items of a list that an answer shows.
func first[T any](list []T) []T { return list[:min(len(list), maxChanges)] }

type nextInput struct {
	Server string `query:"server" required:"true" maxLength:"63" doc:"Id of the connector" example:"x"`
	CA     string `query:"ca" required:"true" maxLength:"20" doc:"Common address: decimal, 0x00E1 or 0.225" example:"1"`
	From   string `query:"from" maxLength:"20" doc:"Lowest address: decimal, 0x000064 or 0.0.100; default: behind the highest of the class, or 1"`
	Step   int    `query:"step" minimum:"1" maximum:"65536" default:"1" doc:"Between the addresses"`
	Count  int    `query:"count" minimum:"1" maximum:"1000" default:"1" doc:"How many"`
	Class  string `query:"class" enum:"single,double,step,bits,measured,counter,other" doc:"Kind of information whose range it is to be"`
	As     string `query:"as" maxLength:"20" doc:"Type identification whose class it is, such as M_ME_TF_1 or 36"`
}

type nextOutput struct {
	Body struct {
		Addresses []Address `json:"addresses" nullable:"false"`
	}
}

func (a *api) nextAddresses(ctx context.Context, in *nextInput) (*nextOutput, error) {
	ca, err := commonAddress(in.CA)
	if err != nil {
		return nil, err
	}
	from, ok := address.ParseIOA(in.From)
	if strings.TrimSpace(in.From) != "" && !ok {
		return nil, invalid("the address cannot be read", Fault{
			Location: "query.from", Message: "want a number from 1 to 16777215, or structured such as 0.0.100", Value: in.From,
		})
	}
	class := address.Class(in.Class)
	if in.As != "" && class == "" {
		class = address.ClassOf(in.As)
		if class == address.Other {
			return nil, invalid("the type is not known", Fault{
				Location: "query.as", Message: "want a type that points are sent as, such as M_ME_TF_1", Value: in.As,
			})
		}
	}
	uses, err := a.uses(ctx)
	if err != nil {
		return nil, err
	}
	free, err := address.Next(uses, address.Wanted{Server: in.Server, CA: ca, From: from, Step: uint32(in.Step), Count: in.Count, Class: class})
	if err != nil {
		return nil, conflict(err.Error())
	}
	out := &nextOutput{}
	for _, ioa := range free {
		out.Body.Addresses = append(out.Body.Addresses, addressOf(ioa))
	}
	return out, nil
}
