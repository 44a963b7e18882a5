package plant

// requestKeys are the generic keys of an entry of the `from` of a command.
type requestKeys struct {
	Connector string `json:"connector" required:"true" doc:"the id of a connector"`
	Mode      string `json:"mode" enum:"direct,select,both"`
}

// executionKeys are the generic keys of the `to` of a command.
type executionKeys struct {
	Connector string `json:"connector" required:"true" doc:"the id of a connector"`
}

func requestGeneric() generic   { return generic{keys: []string{"connector", "mode"}} }
func executionGeneric() generic { return generic{keys: []string{"connector"}} }

// requests decodes the `from` of a command.
func (d *decoding) requests(path string, f *Field, c *Command) {
	if f.Value.Kind != List {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a list of the places where it is requested").Error()})
		return
	}
	c.From = make([]Request, len(f.Value.Items))
	for i, item := range f.Value.Items {
		entry := Field{Line: item.Line, Col: item.Col, Value: item}
		d.request(Item(path, i), &entry, c, &c.From[i])
	}
	if len(c.From) == 0 {
		d.report(path, f, FieldProblem{Text: "is empty, want a list of the places where it is requested, or no key from if it is requested through the API alone"})
	}
}

func (d *decoding) request(path string, f *Field, c *Command, r *Request) {
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the key connector").Error()})
		return
	}
	before := len(d.problems)
	common, own := d.split(path, f, requestGeneric())
	var keys requestKeys
	d.report(path, f, d.structs.request.Decode(common, &keys)...)
	*r = Request{Connector: keys.Connector, Direct: keys.Mode != "select", Select: keys.Mode == "select" || keys.Mode == "both"}
	entry := d.named(path, f, keys.Connector)
	if entry == nil {
		d.slips(path, f, own, requestGeneric())
		return
	}
	if !entry.kind.CanRequest() {
		d.wrongKind(path, f, entry, "commands cannot come from")
		return
	}
	end, faults := entry.kind.Requester(own, c, r)
	d.fromKind(path, f, faults, requestGeneric())
	if len(d.problems) == before && c.Type != 0 {
		r.End = end
	}
}

// execution decodes the `to` of a command. It returns nil if there is nothing
// to go on with.
func (d *decoding) execution(path string, f *Field, c *Command) *Execution {
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the key connector: a command has one executor").Error()})
		return nil
	}
	before := len(d.problems)
	common, own := d.split(path, f, executionGeneric())
	var keys executionKeys
	d.report(path, f, d.structs.execution.Decode(common, &keys)...)
	e := &Execution{Connector: keys.Connector}
	entry := d.named(path, f, keys.Connector)
	if entry == nil {
		d.slips(path, f, own, executionGeneric())
		return e
	}
	if !entry.kind.CanExecute() {
		d.wrongKind(path, f, entry, "commands cannot go to")
		return e
	}
	end, replies, faults := entry.kind.Executor(own, c)
	d.fromKind(path, f, faults, executionGeneric())
	if len(d.problems) == before && c.Type != 0 {
		e.End, e.Replies = end, replies
	}
	return e
}

func (d *decoding) wrongKind(path string, f *Field, entry *connectorEntry, cannot string) {
	d.report(path, f, FieldProblem{Path: "connector", Text: cannot + " a connector of kind " + entry.connector.Kind + ", want another one"})
}
